// What is right but probably not meant: a pattern that can hold rows for ever. It is told when the
// configuration is read; limits keep it within bounds at run time.

import WeirCore

extension QueryPlan {
    /// Sentences about what the query may keep without end.
    public var warnings: [String] { root.patternWarnings }
}

extension LogicalPlan {
    fileprivate var patternWarnings: [String] {
        var found = inputs.flatMap(\.patternWarnings)
        guard case .ordered(.match(let pattern), _, _) = self, pattern.within == nil,
            let loop = pattern.elements.first(where: { $0.most == nil })
        else { return found }
        found.append(
            "MATCH_RECOGNIZE without WITHIN: \(loop.name) takes rows without limit, so a match that is "
                + "never completed is kept until it has \(PatternLimits.rowsPerMatchMax) rows; bound it "
                + "by PATTERN (…) WITHIN INTERVAL '1' HOUR")
        return found
    }
}
