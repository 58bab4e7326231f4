//! Thresholds and suppressions: what a file says of rules.

use super::fields::{Fields, Reader};
use super::value;
use crate::signatures::threshold::{Suppression, Threshold, Track, Type};
use crate::signatures::yaml::Node;

const THRESHOLD_KEYS: &[&str] = &["sid", "type", "track", "count", "seconds"];
const SUPPRESS_KEYS: &[&str] = &["sid", "track", "addresses"];

fn section_sid(reader: &mut Reader, node: &Node, fields: &Fields) -> Option<u32> {
    let Some(sid) = fields.get("sid") else {
        reader.error(node, "it has no 'sid'; name the rule it is for");
        return None;
    };
    let sid = reader.number(sid, "sid", 1..=u32::MAX)?;
    reader.sid = Some(sid);
    Some(sid)
}

pub(super) fn threshold(reader: &mut Reader, node: &Node) -> Option<(u32, Threshold)> {
    let fields = reader.fields(node, "a threshold", THRESHOLD_KEYS)?;
    let sid = section_sid(reader, node, &fields)?;
    for key in &THRESHOLD_KEYS[1..] {
        if fields.get(key).is_none() {
            reader.error(
                node,
                format!(
                    "the threshold has no '{key}'; it needs {}",
                    THRESHOLD_KEYS.join(", ")
                ),
            );
        }
    }
    let types = [
        ("limit", Type::Limit),
        ("threshold", Type::Threshold),
        ("both", Type::Both),
    ];
    let tracks = [
        ("by_src", Track::Source),
        ("by_dst", Track::Destination),
        ("by_rule", Track::Rule),
    ];
    let kind = reader.choice(fields.get("type")?, "type", &types);
    let track = reader.choice(fields.get("track")?, "track", &tracks);
    let count = reader.number(fields.get("count")?, "count", 1..=1_000_000);
    let seconds = reader.number(fields.get("seconds")?, "seconds", 1..=31_536_000);
    Some((
        sid,
        Threshold {
            kind: kind?,
            track: track?,
            count: count?,
            window_ms: u64::from(seconds?) * 1_000,
        },
    ))
}

pub(super) fn suppression(reader: &mut Reader, node: &Node) -> Option<(u32, Suppression)> {
    let fields = reader.fields(node, "a suppression", SUPPRESS_KEYS)?;
    let sid = section_sid(reader, node, &fields)?;
    match (fields.get("track"), fields.get("addresses")) {
        (None, None) => Some((sid, Suppression::Everyone)),
        (Some(track), Some(addresses)) => {
            let by_source = reader.choice(track, "track", &[("by_src", true), ("by_dst", false)]);
            let mut addresses = reader.list(addresses, "addresses", value::address)?;
            addresses.sort_unstable();
            Some((
                sid,
                if by_source? {
                    Suppression::Sources(addresses)
                } else {
                    Suppression::Destinations(addresses)
                },
            ))
        }
        _ => {
            reader.error(
                node,
                "'track' and 'addresses' go together; leave both out to mute the rule everywhere",
            );
            None
        }
    }
}
