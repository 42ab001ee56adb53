//! Link types that the decoder does not know: their numbers and names.

use std::fmt;

/// A link type that the decoder does not know: USB, Bluetooth, serial buses, and later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OtherLinkType(pub(super) u32);

impl OtherLinkType {
    /// For a file that ends before it describes an interface: a number that no file has.
    pub(crate) const NONE: Self = Self(u32::MAX);

    /// The `LINKTYPE_` number in files.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The name in libpcap, such as `USB_LINUX`; `unknown` if it has none.
    pub fn name(self) -> &'static str {
        self.names().0
    }

    /// A stable name for counters: `link-type:USB_LINUX`.
    pub fn kind(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        if self == Self::NONE {
            return ("none", "link-type:none");
        }
        let known = NAMES.binary_search_by_key(&self.0, |(number, ..)| *number);
        known.map_or(("unknown", "link-type:unknown"), |at| {
            (NAMES[at].1, NAMES[at].2)
        })
    }
}

/// The name, with the number if there is no name.
impl fmt::Display for OtherLinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            name @ "unknown" => write!(f, "{name} ({})", self.0),
            name => f.pad(name),
        }
    }
}

macro_rules! names {
    ($($number:literal $name:literal,)*) => {
        /// By number, in order: the name, and the name for counters. The list is that of
        /// <https://www.tcpdump.org/linktypes.html>, in libpcap's words.
        const NAMES: &[(u32, &str, &str)] =
            &[$(($number, $name, concat!("link-type:", $name)),)*];
    };
}

names! {
    2 "EN3MB",
    3 "AX25",
    4 "PRONET",
    5 "CHAOS",
    6 "IEEE802",
    10 "FDDI",
    18 "PFSYNC",
    99 "SYMANTEC_FIREWALL",
    112 "HDLC",
    114 "LTALK",
    115 "ECONET",
    116 "IPFILTER",
    118 "CISCO_IOS",
    120 "AIRONET_HEADER",
    122 "IP_OVER_FC",
    123 "SUNATM",
    124 "RIO",
    125 "PCI_EXP",
    126 "AURORA",
    128 "TZSP",
    130 "JUNIPER_MLPPP",
    131 "JUNIPER_MLFR",
    132 "JUNIPER_ES",
    133 "JUNIPER_GGSN",
    134 "JUNIPER_MFR",
    135 "JUNIPER_ATM2",
    136 "JUNIPER_SERVICES",
    137 "JUNIPER_ATM1",
    138 "APPLE_IP_OVER_IEEE1394",
    139 "MTP2_WITH_PHDR",
    140 "MTP2",
    141 "MTP3",
    142 "SCCP",
    143 "DOCSIS",
    144 "LINUX_IRDA",
    145 "IBM_SP",
    146 "IBM_SN",
    147 "USER0",
    148 "USER1",
    149 "USER2",
    150 "USER3",
    151 "USER4",
    152 "USER5",
    153 "USER6",
    154 "USER7",
    155 "USER8",
    156 "USER9",
    157 "USER10",
    158 "USER11",
    159 "USER12",
    160 "USER13",
    161 "USER14",
    162 "USER15",
    164 "JUNIPER_MONITOR",
    165 "BACNET_MS_TP",
    167 "JUNIPER_PPPOE",
    168 "JUNIPER_PPPOE_ATM",
    169 "GPRS_LLC",
    170 "GPF_T",
    171 "GPF_F",
    174 "JUNIPER_PIC_PEER",
    175 "ERF_ETH",
    176 "ERF_POS",
    177 "LINUX_LAPD",
    179 "JUNIPER_PPP",
    180 "JUNIPER_FRELAY",
    181 "JUNIPER_CHDLC",
    183 "JUNIPER_VP",
    184 "A429",
    185 "A653_ICM",
    186 "USB_FREEBSD",
    187 "BLUETOOTH_HCI_H4",
    188 "IEEE802_16_MAC_CPS",
    189 "USB_LINUX",
    190 "CAN20B",
    191 "IEEE802_15_4_LINUX",
    193 "IEEE802_16_MAC_CPS_RADIO",
    194 "JUNIPER_ISM",
    195 "IEEE802_15_4",
    196 "SITA",
    197 "ERF",
    198 "RAIF1",
    199 "IPMB_KONTRON",
    200 "JUNIPER_ST",
    201 "BLUETOOTH_HCI_H4_WITH_PHDR",
    202 "AX25_KISS",
    203 "LAPD",
    207 "LAPB_WITH_DIR",
    209 "IPMB_LINUX",
    210 "FLEXRAY",
    211 "MOST",
    212 "LIN",
    215 "IEEE802_15_4_NONASK_PHY",
    216 "LINUX_EVDEV",
    217 "GSMTAP_UM",
    218 "GSMTAP_ABIS",
    220 "USB_LINUX_MMAPPED",
    221 "DECT",
    222 "AOS",
    223 "WIHART",
    224 "FC_2",
    225 "FC_2_WITH_FRAME_DELIMS",
    227 "CAN_SOCKETCAN",
    230 "IEEE802_15_4_NOFCS",
    231 "DBUS",
    232 "JUNIPER_VS",
    233 "JUNIPER_SRX_E2E",
    234 "JUNIPER_FIBRECHANNEL",
    235 "DVB_CI",
    236 "MUX27010",
    237 "STANAG_5066_D_PDU",
    238 "JUNIPER_ATM_CEMIC",
    240 "NETANALYZER",
    241 "NETANALYZER_TRANSPARENT",
    243 "MPEG_2_TS",
    244 "NG40",
    245 "NFC_LLCP",
    246 "PFSYNC",
    247 "INFINIBAND",
    248 "SCTP",
    249 "USBPCAP",
    250 "RTAC_SERIAL",
    251 "BLUETOOTH_LE_LL",
    252 "WIRESHARK_UPPER_PDU",
    253 "NETLINK",
    254 "BLUETOOTH_LINUX_MONITOR",
    255 "BLUETOOTH_BREDR_BB",
    256 "BLUETOOTH_LE_LL_WITH_PHDR",
    257 "PROFIBUS_DL",
    259 "EPON",
    260 "IPMI_HPM_2",
    261 "ZWAVE_R1_R2",
    262 "ZWAVE_R3",
    263 "WATTSTOPPER_DLM",
    264 "ISO_14443",
    265 "RDS",
    266 "USB_DARWIN",
    267 "OPENFLOW",
    268 "SDLC",
    269 "TI_LLN_SNIFFER",
    270 "LORATAP",
    271 "VSOCK",
    272 "NORDIC_BLE",
    273 "DOCSIS31_XRA31",
    274 "ETHERNET_MPACKET",
    275 "DISPLAYPORT_AUX",
    277 "SERCOS_MONITOR",
    278 "OPENVIZSLA",
    279 "EBHSCR",
    280 "VPP_DISPATCH",
    281 "DSA_TAG_BRCM",
    282 "DSA_TAG_BRCM_PREPEND",
    283 "IEEE802_15_4_TAP",
    284 "DSA_TAG_DSA",
    285 "DSA_TAG_EDSA",
    286 "ELEE",
    287 "Z_WAVE_SERIAL",
    288 "USB_2_0",
    289 "ATSC_ALP",
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LinkType;

    #[test]
    fn names_are_in_order_and_of_unknown_link_types() {
        assert!(NAMES.is_sorted_by(|(a, ..), (b, ..)| a < b));
        for &(number, name, kind) in NAMES {
            let other = OtherLinkType(number);
            assert_eq!((other.name(), other.kind()), (name, kind));
            assert_eq!(other.to_string(), name);
            // macOS has the number of `USER2` for PKTAP.
            let expected = if cfg!(target_os = "macos") && number == 149 {
                Ok(LinkType::Pktap)
            } else {
                Err(other)
            };
            assert_eq!(LinkType::of_file(number), expected, "{name}");
            assert!(
                LinkType::ALL
                    .iter()
                    .all(|link_type| link_type.name() != name)
            );
        }
        let unknown = OtherLinkType(60_000);
        assert_eq!(unknown.to_string(), "unknown (60000)");
        assert_eq!(unknown.kind(), "link-type:unknown");
    }
}
