// Where Flink writes a query's result: a table of its filesystem connector in the place that the sink
// names, with the columns of the result.

import Glibc
import WeirCore
import WeirSQL

/// The DDL of one query's result in one sink.
struct FlinkSinkTable {
    let query: QueryConfiguration
    /// nil: the query has none, and its result goes to a folder.
    let sink: SinkConfiguration?
    private let folder: String

    /// A table for each sink of the query, or one for a query without any.
    static func all(
        of query: QueryConfiguration, _ configuration: AgentConfiguration, _ options: FlinkExportOptions
    ) -> [FlinkSinkTable] {
        let sinks = query.sinks.compactMap { name in configuration.sinks.first { $0.name == name } }
        if sinks.isEmpty { return [FlinkSinkTable(query: query, sink: nil, folder: options.folder)] }
        return sinks.map { FlinkSinkTable(query: query, sink: $0, folder: options.folder) }
    }

    /// The table's name.
    var name: String { "\(query.name)__\(sink?.name ?? "out")" }

    /// The result's columns; Flink has no revisions.
    private var fields: ArraySlice<Field> {
        let isRevising = query.settings.allowedLatenessMilliseconds != nil
        return query.plan.schema.fields.dropLast(isRevising ? 1 : 0)
    }

    var statement: String {
        let columns = fields.map { "\(flinkName($0.name)) \(flinkType($0.type))" }
        var options = [("connector", "filesystem"), ("path", path)]
        switch sink?.format {
        case .csv: options.append(("format", "csv"))
        case .parquet, .delta: options += [("format", "parquet"), ("parquet.utc-timezone", "true")]
        case .ndjson, nil:
            options += [("format", "json"), ("json.timestamp-format.standard", "ISO-8601")]
        }
        return "CREATE TABLE \(flinkName(name)) (\n  \(columns.joined(separator: ",\n  "))\n) "
            + flinkOptions(options) + ";"
    }

    /// The statement that fills the table from the query as it is written. Flink takes at most one event
    /// time a row, and none that is NULL: behind joins, and where two columns of a result can be one, all
    /// are made plain times around the query.
    func insert(_ sql: String) -> String {
        let times = fields.indices.filter {
            fields[$0].type.isTimestamp && !["window_start", "window_end"].contains(fields[$0].name)
        }
        let needsPlainTimes = times.count > 1 || (!times.isEmpty && query.plan.root.hasJoin)
        guard needsPlainTimes else { return "INSERT INTO \(flinkName(name))\n\(sql);" }
        let items = fields.enumerated().map { index, field in
            let column = flinkName(field.name)
            return times.contains(index)
                ? "CAST(\(column) AS \(flinkType(field.type))) AS \(column)" : column
        }
        return "INSERT INTO \(flinkName(name))\nSELECT \(items.joined(separator: ", ")) FROM (\n\(sql)\n);"
    }

    /// Where the rows go, as a URL of Flink's file systems.
    private var path: String {
        switch sink?.destination {
        case nil, .rows: "file://\(folder)/\(query.name)"
        case .file(let directory): "file://\(absolutePath(directory))/\(query.name)"
        case .webhdfs(let hdfs):
            "hdfs://\(hdfs.nameNodes.first?.host ?? "namenode"):8020\(hdfs.directory)/\(query.name)"
        case .s3(let s3):
            "s3://\(s3.bucket)/\(s3.prefix.isEmpty ? "" : s3.prefix + "/")\(query.name)"
        case .azure(let azure): azure.place.hadoopURL + "/\(query.name)"
        case .gcs(let gcs):
            "gs://\(gcs.bucket)/\(gcs.prefix.isEmpty ? "" : gcs.prefix + "/")\(query.name)"
        }
    }
}

extension LogicalPlan {
    /// Whether rows of several streams are put together, so that columns of one may be NULL.
    fileprivate var hasJoin: Bool {
        contains { node in
            switch node {
            case .ordered(.join, _, _), .ordered(.temporalJoin, _, _), .lookup: true
            default: false
            }
        }
    }
}

extension AzurePlace {
    /// As Hadoop's file systems, which Flink uses, write it: `abfss` for files, `wasbs` for blobs.
    fileprivate var hadoopURL: String {
        "\(isFileSystem ? "abfss" : "wasbs")://\(container)@\(host)" + (prefix.isEmpty ? "" : "/\(prefix)")
    }
}

/// The process's working directory.
func workingDirectory() -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard getcwd(&buffer, buffer.count) != nil else { return "" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
