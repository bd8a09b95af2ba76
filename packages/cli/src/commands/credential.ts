import { randomUUID } from 'node:crypto'
import {
  type Credential,
  credentialStanding,
  issueCredential,
  parseTrustedIssuers,
  readCredential,
  readStatusList,
  revoked,
} from '@liquefy/credential'
import { didKey, LiquefyError, parseDidKey } from '@liquefy/protocol'
import { Command } from 'commander'
import { contextOf } from '../context.ts'
import { readDocument, writeDocument } from '../document-file.ts'
import { CliError, EXIT } from '../failure.ts'
import { makerKey, renewStatusList, statusListFile, takeStatusEntry } from '../maker-folder.ts'
import { table } from '../output.ts'

const DAY_MS = 86_400_000
const CREDENTIAL_DAYS = '3650'
const LIST_DAYS = '30'

interface IssueOptions {
  subject: string
  manufacturer: string
  model: string
  serial: string
  days: string
  out: string
}

/** `liquefy credential`: what makers say of the hardware of machines. */
export function credentialCommand(done: (code: number) => void): Command {
  return new Command('credential')
    .description('what makers say of machines: issue it, check it, take it back')
    .addCommand(issue())
    .addCommand(check(done))
    .addCommand(revoke())
    .addCommand(renew())
    .addCommand(publish())
}

function issue(): Command {
  return new Command('issue')
    .description('say as a maker which product the device with a key is')
    .argument('<maker>', 'folder with the maker’s key: `liquefy machine keygen <maker>`')
    .requiredOption('--subject <did>', 'the device’s key: the did that `machine keygen` prints')
    .requiredOption('--manufacturer <name>')
    .requiredOption('--model <name>')
    .requiredOption('--serial <number>')
    .requiredOption('--out <file>', 'where the credential goes')
    .option('--days <number>', 'how long it is valid', CREDENTIAL_DAYS)
    .action(async (maker: string, options: IssueOptions, command: Command) => {
      const { out } = contextOf(command)
      const { manufacturer, model, serial, subject } = options
      const device = parseDidKey(subject)
      if (!device.ok) throw new CliError('SUBJECT_INVALID', `--subject: ${device.message}.`)
      const key = makerKey(maker)
      const nowMs = Date.now()
      const input = {
        id: `urn:uuid:${randomUUID()}`,
        key: device.key,
        manufacturer,
        model,
        serial,
        validFromMs: nowMs,
        validUntilMs: nowMs + daysOf(options.days) * DAY_MS,
      }
      // What cannot be issued takes no place in the list.
      await issueCredential(key, { ...input, status: undefined })
      const status = takeStatusEntry(maker)
      writeDocument(options.out, `${await issueCredential(key, { ...input, status })}\n`)
      const list = await renewStatusList(maker, key, Number(LIST_DAYS))
      const json = { file: options.out, id: input.id, issuer: didKey(key.publicKey), subject }
      out.result(
        { ...json, statusList: statusListFile(maker), statusListId: list.id, index: status.index },
        `${options.out} says that ${subject} is ${manufacturer} ${model}, serial number ${serial}.\nHand it in: liquefy machine attest <machineId> ${options.out} --status-list ${statusListFile(maker)}`,
      )
    })
}

function check(done: (code: number) => void): Command {
  return new Command('check')
    .description('verify a credential without a node: 0 good, 1 not good')
    .argument('<file>')
    .option('--issuers <file>', 'whom you trust: [{"did","name"}]; left out, whoever it is from')
    .option('--status-list <file>', 'the maker’s newest status list')
    .action(
      async (
        file: string,
        options: { issuers?: string; statusList?: string },
        command: Command,
      ) => {
        const { out } = contextOf(command)
        const issuers = options.issuers
          ? parseTrustedIssuers(readDocument(options.issuers))
          : undefined
        const read = await readCredential(readDocument(file), issuers)
        const list = options.statusList
          ? await readStatusList(readDocument(options.statusList))
          : null
        const standing = !read.ok
          ? read
          : list?.ok === false
            ? list
            : credentialStanding(read.credential, {
                nowMs: Date.now(),
                keyId: 'any',
                issuers,
                statusList: list?.list,
              })
        const said = read.ok ? shown(read.credential) : {}
        const answer = standing.ok
          ? { code: 'OK', message: 'The signature is good, and so is the time.' }
          : { code: standing.code, message: standing.message }
        done(standing.ok ? EXIT.ok : EXIT.faultFound)
        out.result({ ...answer, ...said }, () =>
          table([[answer.code, answer.message], ...Object.entries(said)]),
        )
      },
    )
}

function revoke(): Command {
  return new Command('revoke')
    .description('take back a credential: writes the maker’s status list anew')
    .argument('<maker>', 'folder of the maker')
    .argument('<file>', 'the credential')
    .option('--days <number>', 'how long the list is good, until a newer one', LIST_DAYS)
    .action(async (maker: string, file: string, { days }: { days: string }, command: Command) => {
      const { out } = contextOf(command)
      const key = makerKey(maker)
      const read = await readCredential(readDocument(file), [
        { did: didKey(key.publicKey), name: maker },
      ])
      if (!read.ok) throw new LiquefyError(read.code, read.message)
      const { status, serial } = read.credential
      if (!status) {
        throw new CliError('STATUS_MISSING', `${file} names no status list: it cannot be revoked.`)
      }
      const list = await renewStatusList(maker, key, daysOf(days), (bits) =>
        revoked(bits, status.index),
      )
      tell(out, maker, list, `Serial number ${serial} is revoked`)
    })
}

function renew(): Command {
  return new Command('renew')
    .description('write the maker’s status list anew before it is out of date')
    .argument('<maker>', 'folder of the maker')
    .option('--days <number>', 'how long the list is good, until a newer one', LIST_DAYS)
    .action(async (maker: string, { days }: { days: string }, command: Command) => {
      const { out } = contextOf(command)
      tell(out, maker, await renewStatusList(maker, makerKey(maker), daysOf(days)), 'Done')
    })
}

function publish(): Command {
  return new Command('publish')
    .description('hand a maker’s status list in to the node')
    .argument('<file>', 'the status list')
    .action(async (file: string, _options: object, command: Command) => {
      const { node, out } = contextOf(command)
      const taken = await node().submitStatusList(readDocument(file))
      out.result(
        taken,
        `The node has the list ${taken.id}, good until ${new Date(taken.validUntilMs).toISOString()}.`,
      )
    })
}

function tell(
  out: ReturnType<typeof contextOf>['out'],
  maker: string,
  { id, validUntilMs }: { id: string; validUntilMs: number },
  what: string,
): void {
  const file = statusListFile(maker)
  out.result(
    { file, id, validUntilMs },
    `${what}. ${file} is good until ${new Date(validUntilMs).toISOString()}.\nHand it in: liquefy credential publish ${file}`,
  )
}

function shown({
  issuer,
  key,
  manufacturer,
  model,
  serial,
  validFromMs,
  validUntilMs,
  status,
}: Credential): Record<string, string> {
  return {
    issuer,
    subject: didKey(key),
    manufacturer,
    model,
    serial,
    validFrom: new Date(validFromMs).toISOString(),
    validUntil: new Date(validUntilMs).toISOString(),
    ...(status ? { statusList: `${status.list} ${status.index}` } : {}),
  }
}

function daysOf(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text)
  throw new CliError('DAYS_INVALID', `--days is "${text}"; it must be a number from 1 to 99999.`)
}
