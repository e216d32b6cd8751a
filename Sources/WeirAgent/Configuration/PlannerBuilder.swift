// From the planner's keys of [[sink]] and from [uplink] to what the planner goes by.

import WeirCore

/// What a sink's keys say of when, how much and in what order it uploads.
struct UploadConfiguration: Sendable {
    let windows: UploadWindows?
    let deadlineMilliseconds: Int64?
    let targetBytes: Int64?
    let priority: UploadPriority
    let condition: UploadConditionSettings?
    /// The marker's name, with {agent} in it as it was written; nil for none.
    let marker: String?
}

extension SinkBuilder {
    /// The planner's part of a sink.
    func uploads(_ values: SectionValues) -> UploadConfiguration? {
        guard let priority = values[PlannerFields.priority],
            let timeout = values[PlannerFields.timeout]
        else { return nil }
        checkPlanner(values)
        let zone =
            values[SinkFields.timeZone].flatMap { try? TimeZoneRules(identifier: $0) } ?? timeZone
        let command = values[PlannerFields.command] ?? []
        let interface = values[PlannerFields.interface]
        let hasCondition = !command.isEmpty || interface != nil
        return UploadConfiguration(
            windows: values[PlannerFields.windows].flatMap { texts in
                texts.isEmpty ? nil : UploadWindows(texts, zone: zone)
            },
            deadlineMilliseconds: values[PlannerFields.deadline],
            targetBytes: values[PlannerFields.targetSize], priority: priority,
            condition: hasCondition
                ? UploadConditionSettings(
                    command: command, interface: interface, timeoutMilliseconds: timeout) : nil,
            marker: values[PlannerFields.marker])
    }

    private func checkPlanner(_ values: SectionValues) {
        if values[SinkFields.onFull] == .coarsen, values.isGiven(PlannerFields.marker) {
            log.error(
                values.position(of: PlannerFields.marker),
                "marker does not go with outbox.on_full = \"coarsen\": rows of wider windows may begin in hours "
                    + "that are marked already")
        }
        if values[SinkFields.format] == .delta, values.isGiven(PlannerFields.marker) {
            log.error(
                values.position(of: PlannerFields.marker),
                "marker does not go with format = \"delta\": a table's log tells what belongs to it")
        }
        if let windows = values[PlannerFields.windows], windows.isEmpty {
            log.error(
                values.position(of: PlannerFields.windows),
                "upload_windows is empty: the sink would never upload; leave the key out for always")
        }
        if let command = values[PlannerFields.command], command.isEmpty {
            log.error(
                values.position(of: PlannerFields.command),
                "only_when.command is empty; it must name a program")
        }
        if values.isGiven(PlannerFields.marker), !values.isGiven(SinkFields.partitionBy) {
            log.error(
                values.position(of: PlannerFields.marker),
                "marker needs partition_by: without it an hour's folder holds what was sealed in that hour")
        }
    }
}

/// Builds `[uplink]`.
struct UplinkBuilder {
    let log: ProblemLog
    /// The agent's.
    let timeZone: TimeZoneRules

    func build(_ values: SectionValues) -> UplinkConfiguration? {
        guard let reserve = values[UplinkFields.reserve] else { return nil }
        let (day, month) = (values[UplinkFields.perDay], values[UplinkFields.perMonth])
        if let day, let month, day > month {
            log.error(
                values.position(of: UplinkFields.perDay),
                "budget_per_day (\(Quantity.text(bytes: day))) must not exceed "
                    + "budget_per_month (\(Quantity.text(bytes: month)))")
        }
        if reserve > 0, reserve >= min(day ?? .max, month ?? .max) {
            log.error(
                values.position(of: UplinkFields.reserve),
                "budget_reserve (\(Quantity.text(bytes: reserve))) must be less than each budget, or sinks of "
                    + "other priorities could never send")
        }
        if reserve > 0, day == nil, month == nil {
            log.warning(
                values.position(of: UplinkFields.reserve),
                "budget_reserve has no effect without budget_per_day or budget_per_month")
        }
        let zone =
            values[UplinkFields.timeZone].flatMap { try? TimeZoneRules(identifier: $0) } ?? timeZone
        return UplinkConfiguration(
            bytesPerSecondMax: values[UplinkFields.rate], perDay: day, perMonth: month,
            reserve: reserve, zone: zone)
    }

    /// Warns of priorities that nothing is shared by.
    func warn(of sinks: [BuiltSink], hasUplink: Bool) {
        guard !hasUplink else { return }
        for sink in sinks where sink.values.isGiven(PlannerFields.priority) {
            log.warning(
                sink.values.position(of: PlannerFields.priority),
                "priority has no effect without [uplink]")
        }
    }
}
