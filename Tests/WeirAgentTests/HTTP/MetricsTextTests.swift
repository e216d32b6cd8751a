// The Prometheus text: the form of each kind of metric, escaping, and numbers that are none.

import Testing

@testable import WeirAgent

@Suite struct MetricsTextTests {
    @Test func countersAndGaugesHaveOneHeadAndASampleALabelSet() {
        var page = MetricsText()
        page.counter("weir_rows_total", "Rows.", [([("source", "a")], 7), ([("source", "b")], 0)])
        page.gauge("weir_lag_seconds", "Lag.", [([], 0.25)])
        page.gauge("weir_none", "Nothing yet.", [])
        #expect(
            page.text == """
                # HELP weir_rows_total Rows.
                # TYPE weir_rows_total counter
                weir_rows_total{source="a"} 7
                weir_rows_total{source="b"} 0
                # HELP weir_lag_seconds Lag.
                # TYPE weir_lag_seconds gauge
                weir_lag_seconds 0.25
                # HELP weir_none Nothing yet.
                # TYPE weir_none gauge

                """)
    }

    @Test func histogramsEndWithInfinitySumAndCount() {
        var page = MetricsText()
        page.histogram(
            "weir_commit_seconds", "Commits.", bounds: [0.001, 1],
            [.init(labels: [("sink", "x")], counts: [2, 5], sum: 1.5, count: 6)])
        #expect(
            page.text == """
                # HELP weir_commit_seconds Commits.
                # TYPE weir_commit_seconds histogram
                weir_commit_seconds_bucket{sink="x",le="0.001"} 2
                weir_commit_seconds_bucket{sink="x",le="1"} 5
                weir_commit_seconds_bucket{sink="x",le="+Inf"} 6
                weir_commit_seconds_sum{sink="x"} 1.5
                weir_commit_seconds_count{sink="x"} 6

                """)
    }

    @Test func noLabelOrHelpCanForgeALine() {
        var page = MetricsText()
        page.gauge("weir_x", "a\n# TYPE \"b\" \\", [([("topic", "a\"} 1\nforged 2\\")], 1)])
        #expect(
            page.text == """
                # HELP weir_x a\\n# TYPE "b" \\\\
                # TYPE weir_x gauge
                weir_x{topic="a\\"} 1\\nforged 2\\\\"} 1

                """)
    }

    @Test func numbersThatAreNoneHaveTheirPrometheusNames() {
        var page = MetricsText()
        page.gauge(
            "weir_x", "x", [([], .nan), ([], .infinity), ([], -.infinity), ([], 1e300), ([], -0.5)])
        let values = page.text.split(separator: "\n").dropFirst(2).map {
            $0.split(separator: " ")[1]
        }
        #expect(values == ["NaN", "+Inf", "-Inf", "1e+300", "-0.5"])
    }
}
