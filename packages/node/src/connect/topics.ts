/** The last part of a machine's topics (docs/protocol/transport.md). */
export type TopicName = 'envelope' | 'receipt' | 'refused' | 'agreement' | 'meter' | 'meter/answer'

const PREFIX = 'liquefy/v1/'
const TOPIC =
  /^liquefy\/v1\/([1-9][0-9]{0,77})\/(envelope|receipt|refused|agreement|meter|meter\/answer)$/
const MACHINE_ID = /^[1-9][0-9]{0,77}$/

const FROM_MACHINE: ReadonlySet<TopicName> = new Set(['envelope', 'meter'])

/** A machine's topic: `liquefy/v1/<machineId>/<name>`. */
export function topicOf(machineId: bigint, name: TopicName): string {
  return `${PREFIX}${machineId}/${name}`
}

/** Reads what `topicOf` writes; undefined for any other topic or filter. */
export function parseTopic(topic: string): { machineId: bigint; name: TopicName } | undefined {
  const match = TOPIC.exec(topic)
  if (match?.[1] === undefined) return undefined
  return { machineId: BigInt(match[1]), name: match[2] as TopicName }
}

/** True for the topics that machines write; the others are the node's. */
export function isFromMachine(name: TopicName): boolean {
  return FROM_MACHINE.has(name)
}

/** A machine id as client id or user name: decimal, without sign or leading zeros. */
export function parseMachineId(text: string | undefined): bigint | undefined {
  return text !== undefined && MACHINE_ID.test(text) ? BigInt(text) : undefined
}
