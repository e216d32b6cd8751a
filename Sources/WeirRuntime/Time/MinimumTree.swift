// The least of many values that change one at a time: a tournament tree over places. Setting a
// value walks up only as far as the minimum changes, which for clocks that move forward together is
// a step or two.

/// A complete binary tree whose root is the minimum of its leaves.
struct MinimumTree {
    private var nodes: [Int64]
    private var leaves: Int

    init() {
        leaves = 1
        nodes = [.max, .max]
    }

    /// The least value; Int64.max when no place has one.
    var minimum: Int64 { nodes[1] }

    /// Sets the value at `place`; Int64.max stands for none.
    mutating func set(_ place: Int, _ value: Int64) {
        if place >= leaves { grow(place + 1) }
        var node = leaves + place
        nodes[node] = value
        while node > 1 {
            let parent = node >> 1
            let least = min(nodes[node], nodes[node ^ 1])
            if nodes[parent] == least { return }
            nodes[parent] = least
            node = parent
        }
    }

    private mutating func grow(_ places: Int) {
        let values = nodes[leaves...]
        var wider = leaves
        while wider < places { wider *= 2 }
        var fresh = [Int64](repeating: .max, count: 2 * wider)
        fresh.replaceSubrange(wider..<wider + leaves, with: values)
        for node in stride(from: wider - 1, to: 0, by: -1) {
            fresh[node] = min(fresh[2 * node], fresh[2 * node + 1])
        }
        leaves = wider
        nodes = fresh
    }
}
