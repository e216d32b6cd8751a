// How a wrong clock is named, the same for every store: signatures and tokens are refused for it, and the
// difference is what tells a person where to look.

/// "this machine's clock is 20 min 5 s behind that of HOST".
///
/// - Parameter serverMinusOwnMilliseconds: the server's clock minus this machine's.
func clockSentence(serverMinusOwnMilliseconds offset: Int64, _ host: String) -> String {
    let seconds = abs(offset) / 1000
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
    let magnitude =
        hours > 0 ? "\(hours) h \(minutes) min" : minutes > 0 ? "\(minutes) min \(rest) s" : "\(rest) s"
    return "this machine's clock is \(magnitude) \(offset > 0 ? "behind" : "ahead of") that of \(host)"
}
