// A heap, as it is known since Williams: the first element costs nothing to find, and one more or one less
// costs the logarithm of how many there are. Of elements that neither precedes the other, any may be the
// first; whoever cares about their order has it in what precedes.

/// Elements of which only the first is at hand.
struct BinaryHeap<Element> {
    private var elements: [Element] = []

    var first: Element? { elements.first }
    var count: Int { elements.count }

    /// Adds an element.
    ///
    /// - Parameter precedes: the order, the same in every call.
    mutating func push(_ element: Element, by precedes: (Element, Element) -> Bool) {
        elements.append(element)
        var child = elements.count - 1
        while child > 0, precedes(elements[child], elements[(child - 1) / 2]) {
            elements.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Removes the first element; there must be one.
    mutating func removeFirst(by precedes: (Element, Element) -> Bool) {
        elements.swapAt(0, elements.count - 1)
        elements.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < elements.count && precedes(elements[child], elements[least]) {
                least = child
            }
            if least == parent { return }
            elements.swapAt(parent, least)
            parent = least
        }
    }

    mutating func removeAll() { elements.removeAll() }
}
