use proptest::prelude::*;

use super::*;
use crate::command::started;

/// `command`: words between spaces; `CODE` stands for code, in one word.
#[track_caller]
fn check(command: &str, expected: Option<Started<'_>>) {
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(started(&words), expected, "{command}");
}

#[track_caller]
fn runs(command: &str, file: &str) {
    check(command, Some(Started::Script(file)));
}

#[test]
fn code_in_an_argument_is_no_script() {
    for command in [
        "perl -we CODE /etc/x",
        "perl -le CODE",
        "perl -lne CODE /etc/x",
        "perl -l012ne CODE /etc/x",
        "perl -0777 -ne CODE /etc/x",
        "perl -0xFFpe CODE /etc/x",
        "perl -i.bak -pe CODE /etc/x",
        "perl -F: -lane CODE /etc/x",
        "perl -MList::Util=sum -E CODE",
        "perl -I /lib -eCODE /etc/x",
        "perl -T -wE CODE",
        "perl5.36 -we CODE /etc/x",
        "python3 -Ic CODE /x.py",
        "python3 -Ec CODE",
        "python3 -W ignore -uc CODE /x.py",
        "python3 -cCODE /x.py",
        "pypy3 -Bc CODE /x.py",
        "bash -ec CODE /x",
        "bash -lc CODE /x",
        "bash -e -c CODE /x",
        "bash -o pipefail -c CODE /x",
        "bash -eo pipefail -c CODE /x",
        "bash -euo pipefail -c CODE /x",
        "bash -ceu CODE /x",
        "bash -O extglob -ic CODE /x",
        "bash --norc -ec CODE /x",
        "bash --rcfile /rc -c CODE /x",
        "bash -s /x",
        "bash -xs -- /x",
        "dash -exc CODE /x",
        "ash -ec CODE /x",
        "zsh -fc CODE /x",
        "ksh -pc CODE /x",
        "fish -c CODE /x",
        "fish -N -c CODE /x",
        "fish -pfile -lc CODE",
        "fish --command=CODE /x",
        "fish --command CODE /x",
        "ruby -ne CODE /etc/x",
        "ruby -rjson -lane CODE /etc/x",
        "ruby -r json -e CODE /etc/x",
        "ruby -W0 -pe CODE /etc/x",
        "ruby -eCODE /etc/x",
        "ruby3.1 -we CODE /x",
        "node -pe CODE /x.js",
        "node -e CODE /x.js",
        "node --eval=CODE /x.js",
        "node --print CODE /x.js",
        "node -r /hook.js -p CODE /x.js",
        "node --input-type module --eval CODE /x.js",
        "node --test /x.js",
        "electron28 -e CODE /x",
        "gjs -c CODE /x.js",
        "gjs --command=CODE /x.js",
        "gjs -I /lib --command CODE /x.js",
        "php -r CODE /x.php",
        "php -rCODE /x.php",
        "php -nr CODE /x.php",
        "php -d a=b -r CODE /x.php",
        "php -R CODE /x.php",
        "php -B CODE -R CODE -E CODE /x.php",
        "php --run CODE /x.php",
        "php -a -- /x.php",
        "php -- /x.php",
        "bun -e CODE.x /x.ts",
        "bun --eval CODE.x",
        "bun --print=CODE.x /x.ts",
        "deno eval CODE.x",
        "deno repl --eval CODE.x",
        "dotnet run --project /x.csproj",
        "java @/args serve",
        "tclsh -encoding utf-8",
        "lua -e CODE",
        "lua -",
        "perl - /x",
        "perl",
    ] {
        check(command, None);
    }
}

#[test]
fn values_of_options_are_no_scripts() {
    runs("perl -w /x.pl -e CODE", "/x.pl");
    runs("perl -T -I /lib -Mstrict /x.pl", "/x.pl");
    runs("perl -s -- /x.pl", "/x.pl");
    runs("bash -eu /x.sh -c", "/x.sh");
    runs("bash -euo pipefail x.sh", "x.sh");
    runs("bash -oe pipefail x.sh", "x.sh");
    runs("bash +O extglob x.sh", "x.sh");
    runs("bash +x x.sh", "x.sh");
    runs("bash --init-file /rc -i x.sh", "x.sh");
    runs("bash - x.sh", "x.sh");
    runs("bash -- -c", "-c");
    runs("dash -e /x.sh", "/x.sh");
    runs("zsh -o extendedglob /x.zsh", "/x.zsh");
    runs("fish -C CODE /x.fish", "/x.fish");
    runs("fish --init-command CODE /x.fish", "/x.fish");
    runs("ruby -W0 -rjson -I lib /x.rb -e", "/x.rb");
    runs("ruby -E UTF-8 --encoding utf-8 /x.rb", "/x.rb");
    runs("node --require /hook.js --inspect=9229 /x.js", "/x.js");
    runs("node --env-file .env -C dev /x.js", "/x.js");
    runs("node --title t --no-warnings /x.js --eval", "/x.js");
    runs("gjs -m /x.js -c", "/x.js");
    runs("gjs-console -I /lib /x.js", "/x.js");
    runs("lua5.4 -e CODE -l mod /x.lua", "/x.lua");
    runs("luajit -O3 -joff /x.lua", "/x.lua");
    runs("mono --config /c --debug /x.exe", "/x.exe");
    runs("php -d a=b -c /etc /x.php -r", "/x.php");
    runs("php -n -f /x.php -- a", "/x.php");
    runs("php -f/x.php a", "/x.php");
    runs("php --file=/x.php a", "/x.php");
    runs("php8.2 -S 0:80 -t /www /router.php", "/router.php");
    runs("bun --preload ./p.ts run ./x.ts", "./x.ts");
    runs("bun run -r ./p.ts ./x.ts", "./x.ts");
    runs("deno run -c deno.json --import-map m.json a.ts", "a.ts");
    runs("deno run -A --allow-net=a.b a.ts", "a.ts");
    runs(
        "dotnet exec --runtimeconfig r.json --depsfile d.json a.dll b.dll",
        "a.dll",
    );
    runs("dotnet --fx-version 8.0 a.dll", "a.dll");
    runs("tclsh -encoding utf-8 /x.tcl", "/x.tcl");
    runs("tclsh8.6 /x.tcl -e", "/x.tcl");
    runs("python3 -X dev -Werror /x.py -c", "/x.py");
    runs("python2 -Q new /x.py", "/x.py");
    runs("pypy3 --jit off /x.py", "/x.py");
    check("java --module=a/b.C x", Some(Started::Module("a/b.C")));
}

/// With these options, a relative path begins elsewhere than in the working directory.
#[test]
fn scripts_that_are_searched_for_are_not_known() {
    for command in [
        "perl -S x.pl",
        "perl -wS x.pl",
        "ruby -S x.rb",
        "ruby -C /srv x.rb",
        "ruby -C/srv x.rb",
        "ruby -X/srv x.rb",
        "bun --cwd /srv run x.ts",
        "bun --cwd=/srv x.ts",
    ] {
        check(command, None);
    }
    runs("perl -S /x.pl", "/x.pl");
    runs("ruby -C /srv /x.rb", "/x.rb");
    runs("ruby -rS x.rb", "x.rb");
    runs("bun --cwd /srv /x.ts", "/x.ts");
}

#[test]
fn what_is_not_known_here_names_no_script() {
    for command in [
        "perl -Y x",
        "bash -Z x",
        "ruby -B x",
        "php -Y x",
        "node -z x",
    ] {
        check(command, None);
    }
}

proptest! {
    /// Wherever the option for code stands among others, code is no script.
    #[test]
    fn code_is_found_behind_any_flags(
        flags in proptest::collection::vec(0_usize..64, 0..6),
        is_together in any::<bool>(),
        which in 0_usize..6,
    ) {
        let (name, options, letter) = [
            ("perl", PERL, 'e'),
            ("ruby", RUBY, 'e'),
            ("bash", SHELL, 'c'),
            ("php", PHP, 'r'),
            ("fish", FISH, 'c'),
            ("gjs", GJS, 'c'),
        ][which];
        let known: Vec<char> = options.flags.chars().collect();
        let flags: String = flags.iter().map(|at| known[at % known.len()]).collect();
        let joined = format!("-{flags}{letter}");
        let (first, last) = (format!("-{flags}"), format!("-{letter}"));
        let mut words = vec![name];
        if is_together || flags.is_empty() {
            words.push(&joined);
        } else {
            words.extend([&*first, &*last]);
        }
        words.extend(["print 1", "/etc/passwd"]);
        prop_assert_eq!(started(&words), None, "{:?}", words);
    }

    #[test]
    fn any_words_are_survived(words in proptest::collection::vec("[-+a-zA-Z0-9=./]{0,6}", 0..8)) {
        for name in ["perl", "ruby", "bash", "php", "node", "bun", "deno", "tclsh", "java", "lua"] {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            script(name, &words);
        }
    }
}
