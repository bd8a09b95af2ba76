import type { ErasureStatement, MachineLife } from '@liquefy/client'
import { verifyErasure } from '@liquefy/protocol'
import { Command } from 'commander'
import { contextOf } from '../context.ts'
import { knownLog } from '../data-folder.ts'
import { machineIdOf } from '../machine-id.ts'
import { makerText } from '../maker-text.ts'
import { table } from '../output.ts'
import { namesOf } from '../wallet.ts'

/** `liquefy machine history`: what a buyer wants to know before he pays. */
export function historyCommand(): Command {
  return new Command('history')
    .description('all that a buyer asks: owners, keys, suspensions, agreements, evidence, records')
    .argument('<machineId>')
    .action(async (given: string, _options: object, command: Command) => {
      const { node, out, folder } = contextOf(command)
      const client = node()
      const [life, { log }] = await Promise.all([
        client.life(machineIdOf(given)),
        client.deployment(),
      ])
      const names = namesOf(folder)
      const nameOf = (account: string) => names.get(account.toLowerCase()) ?? account
      const erasures = life.erasures.map((statement) => ({
        ...statement,
        isSigned: holds(statement, knownLog(folder) ?? log),
      }))
      out.result({ ...life, erasures }, () => {
        const signed = erasures.every(({ isSigned }) => isSigned)
        return `${table(rowsOf(life, nameOf))}\n${warningsOf(life, signed).join('\n')}`
      })
    })
}

/** Whether the log's account has signed a statement as it stands. */
function holds(statement: ErasureStatement, log: string): boolean {
  const erasure = {
    chainId: statement.chainId,
    anchor: statement.evidenceAnchor,
    machineId: BigInt(statement.machineId),
    owner: statement.owner,
    erasedAt: statement.erasedAtMs,
    streams: statement.streams.map(({ stream, firstSeq, lastSeq, envelopes, bytes }) => ({
      stream,
      firstSeq: BigInt(firstSeq),
      lastSeq: BigInt(lastSeq),
      envelopes: BigInt(envelopes),
      bytes: BigInt(bytes),
    })),
    keptRoot: statement.keptRoot,
    logSize: BigInt(statement.logSize),
    logRoot: statement.logRoot,
  }
  return verifyErasure(erasure, statement.signature, log as ErasureStatement['log'])
}

const timeText = (ms: number) => new Date(ms).toISOString()

function rowsOf(life: MachineLife, nameOf: (account: string) => string): string[][] {
  return [
    ['machine', life.machineId],
    ['state', life.state],
    ...(life.controller ? [['controller', `machine ${life.controller} signs for it`]] : []),
    ...(life.did ? [['did', life.did]] : []),
    ...(life.credential ? [['maker', makerText(life.credential)]] : []),
    ...life.owners.map(({ owner, sinceMs }) => [
      'owner',
      `${nameOf(owner)} since ${timeText(sinceMs)}`,
    ]),
    ...life.keys.map(({ keyId, epoch, sinceMs, until }) => [
      `key ${epoch}`,
      `${keyId} since ${timeText(sinceMs)}${until ? `, ${until.why} ${timeText(until.atMs)}` : ''}`,
    ]),
    ...life.suspensions.map(({ fromMs, untilMs, by, reason }) => [
      'suspended',
      `${timeText(fromMs)} to ${untilMs === null ? 'now' : timeText(untilMs)} by ${nameOf(by)}: ${reason ?? 'no reason given'}`,
    ]),
    ...life.agreements.map(({ agreementId, payer, payee, closedMs, streams }) => [
      closedMs === null ? 'open agreement' : 'closed agreement',
      `${agreementId}: ${nameOf(payer)} pays ${nameOf(payee)} for ${streams.join(', ') || 'no stream'}`,
    ]),
    ...life.streams.map((stream) => [
      `stream ${stream.stream}`,
      [
        `${stream.envelopes} envelopes to ${stream.lastSeq}`,
        `${stream.missing} missing`,
        `${stream.equivocations} equivocations`,
        `${stream.brokenChains} broken chains`,
        ...(stream.archived > 0 ? [`${stream.archived} archived`] : []),
        ...(stream.erased > 0 ? [`${stream.erased} erased`] : []),
        ...(stream.takenBy ? [`taken by ${stream.takenBy}`] : []),
      ].join(', '),
    ]),
    ...life.replacements.map(({ stream, atMs, oldPart, newPart, last, first }) => [
      `replaced ${stream}`,
      `${timeText(atMs)}: ${oldPart ?? 'a sensor'} by ${newPart ?? 'another'}${last === null ? '' : `, at ${last}, which is ${first} on the new one`}`,
    ]),
    ...life.records.map(({ kind, subject, issuer }) => [kind, `${subject}, by ${issuer}`]),
    ...life.erasures.map(({ erasedAtMs, keptRoot, logSize }) => [
      'erased',
      `${timeText(erasedAtMs)}; kept are leaves under ${keptRoot} in a log of ${logSize}`,
    ]),
  ]
}

/** What a buyer should do something about; one line that nothing is amiss if that is so. */
function warningsOf(life: MachineLife, erasuresAreSigned: boolean): string[] {
  const taken = life.streams.filter(({ takenBy }) => takenBy !== null)
  const split = life.streams.filter(({ equivocations }) => equivocations > 0)
  const warnings = [
    life.state === 'decommissioned' && 'It is decommissioned: nothing that it signs is paid again.',
    life.state === 'suspended' &&
      'It is suspended: nothing that it signs is paid until it is resumed.',
    life.credential !== null &&
      life.credential.state !== 'valid' &&
      `What its maker says of it is not good at present: ${life.credential.words}`,
    life.keyIsOlderThanOwner &&
      'Its key is older than its owner: a former owner may have a copy. After you take over: liquefy machine revoke, then rekey (docs/protocol/life.md).',
    taken.length > 0 &&
      `Of ${taken.map(({ stream }) => stream).join(', ')} its present payee goes on earning: an agreement of yours could not meter them (STREAM_TAKEN).`,
    split.length > 0 &&
      `Its key has signed two readings with one number on ${split.map(({ stream }) => stream).join(', ')}.`,
    !life.evidenceComplete && 'Its evidence is not complete: see the streams.',
    !erasuresAreSigned && 'A statement of an erasure is not signed by the log: do not believe it.',
  ].filter((warning) => warning !== false)
  return warnings.length > 0 ? warnings : ['Nothing is amiss with its history.']
}
