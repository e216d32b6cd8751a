// What is known of each key that has operators of its own, in memory or not, by the place of its clock:
// how far its time has come, and when something is next due.
//
// A key's state lies under a number of its own, its birth: a key that was forgotten and comes back has
// another one, so what is left of the first cannot be taken for its own.

import WeirCore
import WeirStore

/// The keys by place.
struct KeyPlaces {
    private struct Place {
        /// -1 where there are no operators.
        var birth: Int64 = -1
        /// How far the operators' time has come.
        var mark = Watermark.none
        /// Where time was moved to beyond the clock, because the key was idle.
        var ahead = Watermark.none
        /// Below this watermark time does nothing.
        var firstDue = Watermark.none
    }

    private var places: [Place] = []
    /// Keys that have operators.
    private(set) var count = 0
    private var nextBirth: Int64 = 0
    private var changed: Set<Int32> = []
    private var gone: [Int64] = []

    var memoryBytes: Int { places.capacity * MemoryLayout<Place>.stride }

    /// Makes room for all clocks.
    mutating func cover(_ placeCount: Int) {
        while places.count < placeCount { places.append(Place()) }
    }

    func exists(_ place: Int32) -> Bool { places[Int(place)].birth >= 0 }
    func mark(_ place: Int32) -> Int64 { places[Int(place)].mark }
    func ahead(_ place: Int32) -> Int64 { places[Int(place)].ahead }
    func firstDue(_ place: Int32) -> Int64 { places[Int(place)].firstDue }

    /// The birth of a key, now if it had none.
    mutating func open(_ place: Int32) -> Int64 {
        if places[Int(place)].birth < 0 {
            places[Int(place)].birth = nextBirth
            nextBirth += 1
            count += 1
            changed.insert(place)
        }
        return places[Int(place)].birth
    }

    /// Forgets a key.
    mutating func close(_ place: Int32) {
        gone.append(places[Int(place)].birth)
        places[Int(place)] = Place()
        count -= 1
        changed.insert(place)
    }

    /// Moves the mark on; false when it was there already.
    mutating func raise(_ place: Int32, to target: Int64) -> Bool {
        guard target > places[Int(place)].mark else { return false }
        places[Int(place)].mark = target
        return true
    }

    mutating func setFirstDue(_ place: Int32, _ time: Int64) { places[Int(place)].firstDue = time }

    mutating func setAhead(_ place: Int32, _ time: Int64) {
        places[Int(place)].ahead = time
        changed.insert(place)
    }

    // MARK: Durable state

    mutating func checkpoint(
        into writer: any StateWriter, tag: UInt8, prefix: (Int64) -> KeyPrefix
    ) {
        for birth in gone { writer.deleteRange(prefix(birth).bytes, prefix(birth).end) }
        gone.removeAll()
        for number in changed.sorted() {
            let place = places[Int(number)]
            let key = [tag, 1] + withUnsafeBytes(of: number.bigEndian) { Array($0) }
            if place.birth < 0 {
                writer.delete(key)
                continue
            }
            var value = ByteWriter()
            value.write(place.birth)
            value.write(place.ahead)
            value.write(nextBirth)
            value.bytes.withUnsafeBytes { writer.put(key, $0) }
        }
        changed.removeAll()
    }

    mutating func restore(from reader: any StateReader, tag: UInt8) throws(Failure) {
        try reader.scan([tag, 1], [tag, 2]) { (key, value) throws(Failure) in
            guard key.count == 6 else { throw ByteReader.damaged }
            let number = Int(Int32(bigEndian: key.loadUnaligned(fromByteOffset: 2, as: Int32.self)))
            guard 0..<(1 << 28) ~= number else { throw ByteReader.damaged }
            cover(number + 1)
            var bytes = ByteReader(value)
            places[number].birth = try bytes.read()
            places[number].ahead = try bytes.read()
            places[number].mark = places[number].ahead
            nextBirth = max(nextBirth, try bytes.read())
            count += 1
            return true
        }
    }
}
