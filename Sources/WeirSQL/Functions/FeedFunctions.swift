// Functions for feeds that Flink does not have: distances on the earth and a score of how glad or angry
// a text is.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// The mean radius of the earth (IUGG), metres.
let earthRadiusMetres = 6_371_008.8

/// The functions for feeds.
let feedFunctions: [LibraryFunction] = [
    LibraryFunction(
        "GEO_DISTANCE(lat1, lon1, lat2, lon2)", .feed, [.double, .double, .double, .double], .double,
        "Metres between two places in degrees, along a great circle of a sphere of 6,371,008.8 m (haversine): "
            + "within 0.6 % of the ellipsoid. NULL if a latitude is beyond 90 or a longitude beyond 360 degrees.",
        isPortable: false
    ) { call in
        let (a, b, c, d) = (call.doubles(0), call.doubles(1), call.doubles(2), call.doubles(3))
        return call.buildDouble { row, value in
            guard a[row].magnitude <= 90, c[row].magnitude <= 90, b[row].magnitude <= 360, d[row].magnitude <= 360
            else { return .null }
            let radian = Double.pi / 180
            let (lat1, lat2) = (a[row] * radian, c[row] * radian)
            let north = Glibc.sin((lat2 - lat1) / 2)
            let east = Glibc.sin((d[row] - b[row]) * radian / 2)
            let chord = north * north + Glibc.cos(lat1) * Glibc.cos(lat2) * east * east
            value = 2 * earthRadiusMetres * Glibc.asin(min(1, chord.squareRoot()))
            return .value
        }
    },
    LibraryFunction(
        "SENTIMENT(text[, words])", .feed, [.string, .optional(.string)], .double,
        "The mean weight, from -1 to 1, of the words of the text that are in the word list; 0 if none is. `not` "
            + "and its like turn the next word that is found within three around. The list is built in, or "
            + "the file of `sentiment_words`, or the constant second argument: a word and its weight (or "
            + "`negation`) a line.",
        isPortable: false, problem: listProblem,
        kernel: { arguments, type in
            let own = arguments.count > 1 ? arguments[1].constant.map { $0.string(0) } : nil
            let list = SentimentList(own ?? SentimentList.builtIn) ?? SentimentList("")
            return LibraryKernel(Array(arguments.prefix(1)), type: type) { call in
                let texts = call.text(0)
                return call.buildDouble { row, value in
                    value = list?.score(texts[row]) ?? 0
                    return .value
                }
            }
        }),
]

/// What is wrong with the user's list.
@Sendable
private func listProblem(_ arguments: [BoundExpression]) -> String? {
    guard arguments.count > 1 else { return nil }
    guard case .literal(.string(let words), _) = arguments[1] else { return "the word list has to be a constant" }
    return SentimentList.problem(in: words).map { "line \($0.line) of the word list: \($0.message)" }
}
