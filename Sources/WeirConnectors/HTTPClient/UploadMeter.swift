// What stands between a transfer and the line that several sinks share: it says how many bytes may leave
// now, and counts those that left. A transfer asks before each piece of a body, on its own thread, so a
// line that is taken by something more urgent slows the transfer down without breaking it off.

/// Paces and counts what requests send.
public protocol UploadMeter: Sendable {
    /// How many bytes of a body may be sent now, at most `wanted`. May wait a tenth of a second or so; 0 =
    /// none yet, ask again.
    func permit(_ wanted: Int) -> Int

    /// These many bytes were sent, of a body or of a head, whatever becomes of the request.
    func count(_ bytes: Int)
}
