//! Through every page, as a user would go.

mod stage;

use flowner_core::Demo;
use flowner_gui::session::Origin;
use flowner_gui::settings::Settings;
use iced::Size;

const WINDOW: Size = Size::new(1180.0, 740.0);

const DEMO: Option<Origin> = Some(Origin::Demo(Demo::Recorded));

#[test]
fn the_demo_is_overviewed() {
    let mut stage = stage::open(DEMO, &Settings::default(), WINDOW);
    stage.expect("DEMO");
    stage.expect("finished");
    for text in [
        "Programs",
        "Hosts",
        "Services",
        "firefox",
        "jitsi-meet",
        "May not be seen",
    ] {
        stage.expect(text);
    }
}
