//! Nothing: `picon` brings a toolkit with it, and is built only for who asks for it.

use std::path::Path;

use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;

pub(super) const fn picon(_group: &mut BenchmarkGroup<'_, WallTime>, _home: &Path) {}
