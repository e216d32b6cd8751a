// Which queries are Flink's, too: everything in the dialect is, but for functions that Flink does not
// have, and names that it reserves. `weir check --portable` refuses those at their place.
//
// The words of the text are looked at, not the plan: a function is called by its name before a
// parenthesis wherever it stands, and its place in the text is known. That Flink lacks a function says its
// own declaration (`isPortable`), of a scalar function as of an aggregate. Names that are keywords to
// Flink, and to weir are not, must stand in backquotes.

import WeirCore

/// What a text has that Flink lacks.
public enum Portability {
    /// A complaint for each place of `sql`; none when Flink would take it. The text must have been bound.
    ///
    /// - Parameters:
    ///   - macros: the names of the configuration's macros, which Flink has not.
    ///   - columns: the names of the sources' columns, some of which are keywords to Flink.
    public static func complaints(
        about sql: String, macros: [String] = [], columns: Set<String> = []
    ) -> [Diagnostic] {
        guard let tokens = try? Lexer.tokens(of: sql) else { return [] }
        let macros = Set(macros.map { $0.uppercased() })
        // Whether each parenthesis that is open belongs to a CAST, whose AS names a type.
        var casts: [Bool] = []
        var complaints: [Diagnostic] = []
        for (index, token) in tokens.enumerated() {
            let before = index > 0 ? tokens[index - 1] : nil
            let next = index + 1 < tokens.count ? tokens[index + 1] : token
            switch (token.kind, token.text) {
            case (.symbol, "("): casts.append(["CAST", "TRY_CAST"].contains(before?.keyword))
            case (.symbol, ")"): _ = casts.popLast()
            case (.word, _) where next.kind == .symbol && next.text == "(":
                if let complaint = complaint(aboutCall: token, macros) { complaints.append(complaint) }
                if ["TUMBLE", "HOP"].contains(token.keyword),
                    let length = months(in: tokens[(index + 1)...])
                {
                    complaints.append(
                        Diagnostic(
                            length.position,
                            "windows of months and years are weir's own: Flink takes lengths in days"))
                }
            case (.word, _) where reservedByFlink.contains(token.keyword):
                let isAlias = before?.keyword == "AS" && casts.last != true && endsItem(next)
                let isColumn = columns.contains(token.text) && next.kind != .string
                guard isAlias || isColumn else { continue }
                complaints.append(
                    Diagnostic(
                        token.position,
                        "\(token.text) is a keyword of Flink's; write `\(token.text)` in backquotes"))
            default: break
            }
        }
        return complaints + PortableWindows.complaints(about: tokens)
            + PortableQualify.complaints(about: tokens)
    }

    /// The unit of the first length in months among the arguments that begin with a parenthesis.
    private static func months(in arguments: ArraySlice<Token>) -> Token? {
        var depth = 0
        for index in arguments.indices {
            let token = arguments[index]
            if token.kind == .symbol, token.text == "(" { depth += 1 }
            if token.kind == .symbol, token.text == ")" { depth -= 1 }
            if depth == 0 { return nil }
            let isUnit = ["MONTH", "MONTHS", "QUARTER", "QUARTERS", "YEAR", "YEARS"].contains(token.keyword)
            if depth == 1, isUnit, token.kind == .word, arguments[index - 1].kind == .string { return token }
        }
        return nil
    }

    /// Whether an item of a list ends before `token`.
    private static func endsItem(_ token: Token) -> Bool {
        token.kind == .end || token.text == "," || token.text == ")" || itemEnds.contains(token.keyword)
    }

    private static let itemEnds: Set<String> = ["FROM", "ONE", "AFTER", "PATTERN", "WHERE", "JOIN", "ON"]

    private static func complaint(aboutCall token: Token, _ macros: Set<String>) -> Diagnostic? {
        if macros.contains(token.keyword) {
            return Diagnostic(
                token.position, "\(token.text) is a macro, which Flink does not have; write its expression out")
        }
        if FunctionLibrary.byName[token.keyword]?.isPortable == false { return complaint(token, "") }
        return aggregates.contains(token.keyword) ? complaint(token, advice(for: token.keyword)) : nil
    }

    private static let aggregates = Set(
        AggregateFunction.allCases.filter { !$0.isPortable }.map(\.name))

    private static func complaint(_ token: Token, _ advice: String) -> Diagnostic {
        Diagnostic(
            token.position,
            "\(token.keyword) is weir's own: Flink does not have it" + (advice.isEmpty ? "" : "; \(advice)"))
    }

    private static func advice(for aggregate: String) -> String {
        switch aggregate {
        case "APPROX_COUNT_DISTINCT": "COUNT(DISTINCT x) is in both"
        case "APPROX_PERCENTILE": "PERCENTILE(x, fraction) is in both"
        default: ""
        }
    }

    /// Words that Flink 2.3 does not take as a name (`SELECT 1 AS word` was tried with each); without
    /// those that no dialect takes.
    private static let reservedByFlink = Set(
        """
        ABS ALL ALLOW ALTER AND ANY ARE ARRAY AS ASENSITIVE ASYMMETRIC AT ATOMIC
        AUTHORIZATION AVG BEGIN BETWEEN BIGINT BINARY BIT BLOB BOOLEAN BOTH BY BYTES CALL
        CALLED CARDINALITY CASCADED CASE CAST CATALOGS CEIL CEILING CHAR CHARACTER
        CHAR_LENGTH CHECK CLOB CLOSE COALESCE COLLATE COLLECT COLUMN COMMENT COMMIT
        CONDITION CONNECT CONSTRAINT CONTAINS CONVERT CORR CORRESPONDING COUNT COVAR_POP
        CREATE CROSS CUBE CUME_DIST CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP
        CURRENT_USER CURSOR CYCLE DATE DAY DEC DECIMAL DECLARE DEFAULT DEFINE DELETE
        DENSE_RANK DEREF DESCRIBE DETERMINISTIC DISALLOW DISCONNECT DISTINCT DISTRIBUTION
        DOUBLE DROP DYNAMIC EACH ELEMENT ELSE EMPTY END EQUALS ESCAPE EVERY EXCEPT EXEC
        EXECUTE EXISTS EXP EXPLAIN EXTEND EXTERNAL EXTRACT FETCH FILTER FIRST_VALUE FLOAT
        FLOOR FOR FOREIGN FRAME_ROW FREE FROM FULL FUNCTION FUSION GET GLOBAL GRANT GROUP
        GROUPING GROUPS HAVING HOLD HOUR IDENTITY IMPORT IN INDICATOR INITIAL INNER INOUT
        INSENSITIVE INSERT INT INTEGER INTERSECT INTERSECTION INTERVAL INTO IS JOIN LAG
        LANGUAGE LARGE LAST_VALUE LATERAL LEAD LEADING LEFT LIKE LIMIT LN LOCAL LOCALTIME
        LOCALTIMESTAMP LOWER MATCH MATCHES MATERIALIZED MAX MEASURES MEMBER MERGE METHOD MIN
        MINUTE MOD MODIFIES MODULE MODULES MONTH MULTISET NATIONAL NATURAL NEW NEXT NO NONE
        NORMALIZE NOT NTILE NULLIF NUMERIC OF OFFSET OLD OMIT ON ONE ONLY OPEN OR ORDER OUT
        OUTER OVER OVERLAPS OVERLAY PARAMETER PARTITION PATTERN PER PERCENT PERCENTILE_CONT
        PERCENT_RANK PERIOD PERMUTE PORTION POSITION POWER PRECEDES PRECISION PREPARE PREV
        PRIMARY PROCEDURE PROCEDURES QUALIFY RANGE RANK RAW READS REAL RECURSIVE REF
        REFERENCES RELEASE RENAME RESET RESULT RETURN RETURNS REVOKE RIGHT ROLLBACK ROLLUP
        ROW ROWS ROW_NUMBER RUNNING SAVEPOINT SCOPE SCROLL SEARCH SECOND SEEK SELECT
        SENSITIVE SEPARATOR SESSION_USER SET SHOW SIMILAR SKIP SMALLINT SOME SPECIFIC SQL
        SQRT START STATEMENT STATIC STDDEV_POP STREAM STRING SUBMULTISET SUBSET SUBSTRING
        SUCCEEDS SUM SYMMETRIC SYSTEM SYSTEM_TIME SYSTEM_USER TABLE TABLES TABLESAMPLE THEN
        TIME TIMESTAMP TIMESTAMP_LTZ TIMEZONE_HOUR TINYINT TO TRAILING TRANSLATE TREAT
        TRIGGER TRIM TRUNCATE UESCAPE UNION UNIQUE UNNEST UPDATE UPPER UPSERT USE USER USING
        VALUE VALUES VALUE_OF VARBINARY VARCHAR VARIANT VARYING VAR_POP VERSIONING VIEWS
        WATERMARK WATERMARKS WEEKS WHEN WHENEVER WHERE WIDTH_BUCKET WINDOW WITH WITHIN
        WITHOUT YEAR
        """.split(whereSeparator: \.isWhitespace).map(String.init))
}
