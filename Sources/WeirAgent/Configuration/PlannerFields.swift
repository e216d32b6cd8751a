// The keys that say when, how much and in what order sinks upload: those of [[sink]], and [uplink], which
// sinks share.

/// The keys of `[[sink]]` for the upload planner and for markers.
enum PlannerFields {
    static let windows = Setting.texts(
        "upload_windows", .uploadWindow, .optional,
        "When uploads may begin, on the clocks of `time_zone`: `\"02:00-05:00\"`, `\"sat,sun 00:00-24:00\"`, "
            + "`\"mon-fri 22:00-05:00\"` (past midnight). Outside of them rows gather. Default: always.")
    static let deadline = Setting.duration(
        "deadline", .optional, from: "1s", to: "366d",
        "Age of the oldest row from which a segment goes although no window is open, `only_when` does not hold or "
            + "another sink goes first; not beyond a budget. Default: none.")
    static let targetSize = Setting.size(
        "target_size", .optional, from: "1KB", to: "5GB", for: SinkFields.files,
        "Bytes that a file should have, by what the stream's rows became so far: rows gather until there are as "
            + "many, or until `max_age`. `schedule` is then `off` unless it is given.")
    static let priority: Setting<UploadPriority> = .choice(
        "priority", .default("normal"),
        "Who goes first over `[uplink]`: a lower class waits while a higher has something due; within a class the "
            + "oldest rows go first.")
    static let command = Setting.texts(
        "only_when.command", .argument, .optional,
        "A program and its arguments, run without a shell; uploads go while it ends with 0. Asked when something "
            + "is due, and again after 10 s.")
    static let interface = Setting.text(
        "only_when.interface", .interfaceName, .optional,
        "A network interface; uploads go while it is up.")
    static let timeout = Setting.duration(
        "only_when.timeout", .default("10s"), from: "100ms", to: "5m",
        "Time that `only_when.command` may take.")
    static let marker = Setting.text(
        "marker", .marker, .optional, for: SinkFields.files,
        "Name of an empty object that tells that an hour's folder is complete, such as `_SUCCESS`, or "
            + "`_SUCCESS-{agent}` where several agents write one folder. Needs `partition_by`. Default: none.")

    /// What `[[sink]]` has of the planner.
    static let sink: [FieldDeclaration] = [
        windows.declaration, deadline.declaration, targetSize.declaration, priority.declaration,
        command.declaration, interface.declaration, timeout.declaration, marker.declaration,
    ]

    static let refusals = [
        "only_when.not_metered": "the kernel does not know what a connection costs; ask NetworkManager by "
            + "only_when.command (docs/uploads.md)"
    ]
}

/// The keys of `[uplink]`.
enum UplinkFields {
    static let rate = Setting.rate(
        "max_upload_rate", .optional, from: "1KB/s", to: "100GB/s",
        "Bytes a second of all sinks together, shared by `priority` (64 : 8 : 1). Default: no bound.")
    static let perDay = Setting.size(
        "budget_per_day", .optional, from: "1KB", to: "1000TB",
        "Bytes that may be sent a day, with retries and failed tries. Default: no bound.")
    static let perMonth = Setting.size(
        "budget_per_month", .optional, from: "1KB", to: "1000TB",
        "Bytes that may be sent a calendar month. Default: no bound.")
    static let reserve = Setting.size(
        "budget_reserve", .default("0B"), from: "0B", to: "1000TB",
        "What of each budget is kept for sinks of `priority = \"high\"`.")
    static let timeZone = Setting.text(
        "time_zone", .timeZone, .optional,
        "IANA time zone whose days and months count. Default: the agent's.")

    static let section = SectionDeclaration(
        "uplink", isList: false,
        "What sinks that send over a network share: a rate, budgets, and an order of who goes first. It is without "
            + "effect on sinks of type `file`.",
        fields: [
            rate.declaration, perDay.declaration, perMonth.declaration, reserve.declaration,
            timeZone.declaration,
        ])
}

extension TextFormat {
    /// One window of a week.
    static let uploadWindow = TextFormat("window", complaint: UploadWindows.complaint)

    /// A word of a command; the same may come twice.
    static let argument = TextFormat("string", allowsRepetition: true, complaint: any.complaint)

    /// A network interface, which is a name below /sys/class/net.
    static let interfaceName = TextFormat("interface") { text in
        let isName = !text.isEmpty && text.utf8.count < 16 && !text.contains("/")
            && !text.hasPrefix(".") && !text.contains(where: \.isWhitespace)
        return isName ? nil : Complaint("must be the name of a network interface, not \(quoted(text))")
    }

    /// The name of a marker. Readers of a lake skip names that begin with "_" or ".".
    static let marker = TextFormat("name") { text in
        let plain = text.split(separator: "{agent}", omittingEmptySubsequences: false).joined()
        let isName = plain.utf8.allSatisfy { byte in
            isIdentifierByte(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
        }
        guard isName, text.hasPrefix("_"), text.utf8.count <= 128 else {
            return Complaint(
                "must begin with \"_\", so that readers skip it, and be of letters, digits, \"-\", \".\", \"_\" "
                    + "and perhaps {agent}, not \(quoted(text))")
        }
        return nil
    }
}
