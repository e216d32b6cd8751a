// One finished file of a segment, before it leaves. A segment has one, or one for each hour that its
// rows fall in.

import WeirConnectors
import WeirFormats

/// A file of a segment: its name at the sink and its bytes, both functions of the segment alone.
struct SegmentFile {
    let key: ObjectKey
    let body: ObjectBody
    /// The instant whose UTC date and hour the file's folder is called after, ms since the epoch.
    let partition: Int64
    /// Rows in the file.
    let rowCount: Int
    /// What a table's log says of the file; nil where the sink keeps no tables.
    let tableFacts: TableFileFacts?
}
