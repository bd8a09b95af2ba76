/** The items of a CBOR sequence, as views of its bytes; or why it cannot be split. */
export type SplitSequence =
  | { ok: true; items: Uint8Array[] }
  | { ok: false; code: 'SEQUENCE_MALFORMED' | 'TOO_LARGE'; message: string }

/** A head (RFC 8949, section 3): major type, argument, and where what follows begins. */
interface Head {
  major: number
  argument: number
  end: number
}

const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAP = 5
const TAG = 6

/**
 * Splits a CBOR sequence (RFC 8742) into its items. Only borders are looked for: what an item holds is judged by whoever decodes it.
 * Lengths must be definite. Work is linear in the size, whatever the nesting: items still to come are counted, not stacked.
 */
export function splitSequence(bytes: Uint8Array, maxItems: number): SplitSequence {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const items: Uint8Array[] = []
  let at = 0
  while (at < bytes.length) {
    if (items.length === maxItems) {
      return { ok: false, code: 'TOO_LARGE', message: `more than ${maxItems} items` }
    }
    const end = endOfItem(view, at)
    if (end === undefined) {
      const message = `item ${items.length + 1}, which begins at byte ${at}, is cut off or has no definite length`
      return { ok: false, code: 'SEQUENCE_MALFORMED', message }
    }
    items.push(bytes.subarray(at, end))
    at = end
  }
  return { ok: true, items }
}

/** Undefined if no item ends within the bytes. */
function endOfItem(view: DataView, start: number): number | undefined {
  let at = start
  let expected = 1
  while (expected > 0) {
    const head = readHead(view, at)
    if (head === undefined) return undefined
    const { major, argument } = head
    at = head.end + (major === BYTES || major === TEXT ? argument : 0)
    expected -= 1
    if (major === ARRAY) expected += argument
    else if (major === MAP) expected += 2 * argument
    else if (major === TAG) expected += 1
    // Each item has a byte at least: what announces more than is left is cut off.
    if (at + expected > view.byteLength) return undefined
  }
  return at
}

function readHead(view: DataView, at: number): Head | undefined {
  if (at >= view.byteLength) return undefined
  const initial = view.getUint8(at)
  const major = initial >> 5
  const additional = initial & 31
  if (additional < 24) return { major, argument: additional, end: at + 1 }
  // 28 to 30 are reserved, 31 is an indefinite length or its end.
  if (additional > 27) return undefined
  const width = 2 ** (additional - 24)
  const end = at + 1 + width
  if (end > view.byteLength) return undefined
  return { major, argument: readUnsigned(view, at + 1, width), end }
}

/** Beyond 2^53 it is not exact, and larger than anything that is left. */
function readUnsigned(view: DataView, at: number, width: number): number {
  if (width === 1) return view.getUint8(at)
  if (width === 2) return view.getUint16(at)
  return width === 4 ? view.getUint32(at) : Number(view.getBigUint64(at))
}
