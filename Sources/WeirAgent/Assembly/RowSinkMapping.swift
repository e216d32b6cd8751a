// A row sink's configuration as the options of its delivery.

import WeirConnectors
import WeirCore
import WeirFormats

extension RowSinkConfiguration {
    /// The options of the sink called `name`.
    func options(name: String) -> RowSinkOptions {
        RowSinkOptions(
            target: target(name: name), idColumn: idColumn, dropsRefused: onReject == .drop,
            batchRowsMax: batchRowsMax, batchBytesMax: batchBytesMax,
            lingerMilliseconds: lingerMilliseconds)
    }

    private func target(name: String) -> RowSinkOptions.Target {
        switch receiver {
        case .mqtt(let client, let topic, let quality, let isRetained):
            var options = client.options(name: name)
            options.sendMaximum = client.receiveMaximum
            options.connectTimeoutMilliseconds = transfer.connectTimeoutMilliseconds
            return .mqtt(
                options, topic: topic, quality: quality, isRetained: isRetained,
                stallMilliseconds: transfer.stallTimeoutMilliseconds)
        case .webhook(let webhook):
            var options = RowPostOptions(
                .webhook, url: webhook.url, contentType: webhook.body.contentType)
            options.headers = webhook.headers
            options.authorization = webhook.credentials.authorization
            options.signingSecret = webhook.signingSecret?.reveal()
            options.isCompressed = webhook.isCompressed
            options.http = transfer.options
            return .webhook(options, body: webhook.body)
        case .influx(let influx):
            return .influx(
                influx.options(transfer),
                LineProtocolLayout(
                    measurement: influx.measurement, tags: influx.tags, timeColumn: influx.timeColumn))
        }
    }
}

extension InfluxConfiguration {
    fileprivate func options(_ transfer: TransferConfiguration) -> RowPostOptions {
        var base = url
        while base.hasSuffix("/") { base.removeLast() }
        var options: RowPostOptions
        switch place {
        case .bucket(let bucket, let org):
            options = RowPostOptions(
                .influx(store: "bucket \(bucket)"), url: base + "/api/v2/write",
                contentType: "text/plain; charset=utf-8")
            options.query = [("bucket", bucket)] + (org.map { [("org", $0)] } ?? [])
        case .database(let database, let policy):
            options = RowPostOptions(
                .influx(store: "database \(database)"), url: base + "/write",
                contentType: "text/plain; charset=utf-8")
            options.query = [("db", database)] + (policy.map { [("rp", $0)] } ?? [])
        }
        options.query.append(("precision", "ms"))
        options.authorization = credentials.authorization
        options.isCompressed = isCompressed
        options.http = transfer.options
        return options
    }
}

extension PostCredentials {
    fileprivate var authorization: RowPostOptions.Authorization {
        switch self {
        case .none: .none
        case .basic(let user, let password): .basic(user: user, password: password?.reveal() ?? "")
        case .bearer(let token): .token(scheme: "Bearer", token: token.reveal())
        case .token(let token): .token(scheme: "Token", token: token.reveal())
        }
    }
}
