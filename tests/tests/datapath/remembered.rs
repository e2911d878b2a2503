//! What the loaded program remembers of packets, in our hands: so that its time passes when we say so.

use aya::maps::{Array, HashMap, Map, MapData, PerCpuArray, PerCpuValues};
use aya::util::nr_cpus;
use lb_common::fragment::{FragmentKey, FragmentRoute};

use crate::engine::{Kernel, kernel_time};

type Hash<const KEY: usize, const VALUE: usize> = HashMap<MapData, [u8; KEY], [u8; VALUE]>;

/// The maps that packets change.
pub struct Remembered {
    fragments: Hash<{ size_of::<FragmentKey>() }, { size_of::<FragmentRoute>() }>,
    errors_sent: HashMap<MapData, [u8; 16], u32>,
    ration: PerCpuArray<MapData, u64>,
    syns: Array<MapData, u32>,
    /// Whether there are any.
    has_syns: bool,
}

/// How far ahead of the clock an error must have been sent to be of the present tick until it is forgotten.
const AHEAD: u32 = 1 << 30;

impl Remembered {
    /// That of a loaded program.
    pub fn of(kernel: &mut Kernel) -> Self {
        let maps = kernel.maps();
        let map = |name: &str| {
            let map = maps.iter().find(|map| map.name_as_str() == Some(name));
            let id = map.unwrap_or_else(|| panic!("there is no map {name}")).id();
            Map::from_map_data(MapData::from_id(id).unwrap()).unwrap()
        };
        Remembered {
            fragments: map("FRAGMENTS").try_into().unwrap(),
            errors_sent: map("ERRORS_SENT").try_into().unwrap(),
            ration: map("RATION").try_into().unwrap(),
            syns: map("SYNS").try_into().unwrap(),
            has_syns: false,
        }
    }

    /// No packet has come yet.
    pub fn clear(&mut self) {
        let parts: Vec<_> = self.fragments.keys().collect::<Result<_, _>>().unwrap();
        parts.iter().for_each(|key| self.fragments.remove(key).unwrap());
        if std::mem::take(&mut self.has_syns) {
            (0..self.syns.len()).for_each(|place| self.syns.set(place, 0, 0).unwrap());
        }
        self.tick();
    }

    /// A SYN may be remembered.
    pub fn note_syn(&mut self) {
        self.has_syns = true;
    }

    /// Who was sent an error may be sent one again.
    pub fn tick(&mut self) {
        let clients: Vec<_> = self.errors_sent.keys().collect::<Result<_, _>>().unwrap();
        clients.iter().for_each(|client| self.errors_sent.remove(client).unwrap());
        let whole = PerCpuValues::try_from(vec![0; nr_cpus().unwrap()]).unwrap();
        self.ration.set(0, whole, 0).unwrap();
    }

    /// Who was sent an error isn't sent another before [`Remembered::tick`], whatever the kernel's clock says.
    pub fn hold(&mut self) {
        let clients: Vec<_> = self.errors_sent.keys().collect::<Result<_, _>>().unwrap();
        let ahead = kernel_time().0.wrapping_add(AHEAD);
        clients.iter().for_each(|client| self.errors_sent.insert(client, ahead, 0).unwrap());
    }
}
