// What one request is doing while libcurl works on it: where the body comes from, what has come back,
// and why it was broken off. libcurl's callbacks are C functions; each finds its transfer through the
// context pointer, which stays valid because `HTTPClient.perform` keeps the transfer alive around
// curl_easy_perform, and no callback runs outside of that call.

import CCurl
import Glibc
import WeirCore

/// The state that libcurl's callbacks read and write during one request.
final class HTTPTransfer {
    /// Why a callback broke the transfer off.
    enum Interruption {
        case aborted
        case answerTooLarge
        case bodyUnreadable(String)
    }

    private let body: HTTPBody
    private let responseBytesMax: Int
    private let abort: AbortFlag
    private let meter: (any UploadMeter)?
    private var file: Int32 = -1
    private var sent = 0
    private(set) var status = 0
    private(set) var headers: [(name: String, value: String)] = []
    private(set) var received: [UInt8] = []
    private(set) var interruption: Interruption?

    init(
        _ request: HTTPRequest, abort: AbortFlag, meter: (any UploadMeter)? = nil
    ) throws(Failure) {
        body = request.body
        responseBytesMax = request.responseBytesMax
        self.abort = abort
        self.meter = meter
        if case .file(let path, _, _) = body {
            file = open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else {
                throw Failure(.storage, "opening", path, systemErrorText(errno), retry: .backoff)
            }
        }
    }

    deinit {
        if file >= 0 { close(file) }
    }

    /// The transfer that a callback's context pointer names.
    static func of(_ context: UnsafeMutableRawPointer?) -> HTTPTransfer? {
        context.map { Unmanaged<HTTPTransfer>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Registers the callbacks with this transfer as their context.
    func register(with handle: UnsafeMutableRawPointer) -> CURLcode {
        weir_curl_set_callbacks(
            handle, Unmanaged.passUnretained(self).toOpaque(),
            { bytes, size, count, context in
                HTTPTransfer.of(context)?.takeHeader(
                    UnsafeRawBufferPointer(start: bytes, count: size * count))
                return size * count
            },
            { bytes, size, count, context in
                let chunk = UnsafeRawBufferPointer(start: bytes, count: size * count)
                return HTTPTransfer.of(context)?.takeBody(chunk) == true ? size * count : 0
            },
            { bytes, size, count, context in
                let room = UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
                return HTTPTransfer.of(context)?.fill(room) ?? weir_curl_read_abort()
            },
            { context, offset, origin in
                HTTPTransfer.of(context)?.seek(to: offset, origin: origin) == true
                    ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
            },
            { context, _, _, _, _ in HTTPTransfer.of(context)?.isToBeAborted() == true ? 1 : 0 })
    }

    /// One header line. A new status line (after 100 Continue, a proxy's CONNECT or a round of
    /// authentication) starts the answer afresh.
    private func takeHeader(_ line: UnsafeRawBufferPointer) {
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("HTTP/") {
            status = text.split(separator: " ").dropFirst().first.flatMap { Int($0.prefix(3)) } ?? 0
            headers.removeAll()
            received.removeAll()
            return
        }
        guard let colon = text.firstIndex(of: ":") else { return }
        headers.append(
            (text[..<colon].lowercased(), trimmed(text[text.index(after: colon)...])))
    }

    private func takeBody(_ chunk: UnsafeRawBufferPointer) -> Bool {
        guard received.count + chunk.count <= responseBytesMax else {
            interruption = .answerTooLarge
            return false
        }
        received.append(contentsOf: chunk)
        return true
    }

    /// Puts the next bytes of the body into `room`; returns how many, or libcurl's abort mark.
    private func fill(_ room: UnsafeMutableRawBufferPointer) -> Int {
        var wanted = min(room.count, body.length - sent)
        guard wanted > 0 else { return 0 }
        if let meter {
            var permitted = 0
            while permitted == 0 {
                if isToBeAborted() { return weir_curl_read_abort() }
                permitted = meter.permit(wanted)
            }
            wanted = min(wanted, permitted)
            meter.count(wanted)
        }
        switch body {
        case .none:
            return 0
        case .bytes(let bytes):
            bytes[sent..<sent + wanted].withUnsafeBytes { room.copyMemory(from: $0) }
            sent += wanted
            return wanted
        case .file(let path, let offset, _):
            let count = pread(file, room.baseAddress, wanted, off_t(offset + sent))
            guard count > 0 else {
                interruption = .bodyUnreadable(
                    "\(path): "
                        + (count < 0 ? systemErrorText(errno) : "the file is shorter than it was"))
                return weir_curl_read_abort()
            }
            sent += count
            return count
        }
    }

    /// libcurl sends the body again from `offset` (a kept connection was dead, or authentication).
    private func seek(to offset: curl_off_t, origin: Int32) -> Bool {
        guard origin == SEEK_SET, offset >= 0, offset <= body.length else { return false }
        sent = Int(offset)
        return true
    }

    private func isToBeAborted() -> Bool {
        guard abort.isRaised else { return false }
        interruption = .aborted
        return true
    }
}

/// The operating system's words for an error number.
func systemErrorText(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    return buffer.withUnsafeBufferPointer { text in text.baseAddress.map { String(cString: $0) } ?? "" }
}

/// Without blanks and line ends on both sides.
func trimmed(_ text: some StringProtocol) -> String {
    let isBlank = { (scalar: Unicode.Scalar) in scalar.value <= 0x20 }
    let scalars = text.unicodeScalars.drop(while: isBlank)
    guard let last = scalars.lastIndex(where: { !isBlank($0) }) else { return "" }
    return String(String.UnicodeScalarView(scalars[...last]))
}
