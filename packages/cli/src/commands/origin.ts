import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { hasKey, loadKey } from '@liquefy/machine'
import {
  type Build,
  checkOrigin,
  type Design,
  didKey,
  type Hex,
  isSigned,
  type NamedDigest,
  type OriginRecord,
  readOrigin,
  signOrigin,
} from '@liquefy/protocol'
import { Command } from 'commander'
import { contextOf } from '../context.ts'
import { readBytes } from '../document-file.ts'
import { CliError, EXIT } from '../failure.ts'
import { machineIdOf } from '../machine-id.ts'
import { machinePassphrase, machinePin } from '../machine-secrets.ts'
import { table } from '../output.ts'
import { asPerson } from '../sign-in.ts'
import { walletOf } from '../wallet.ts'

/** `liquefy origin`: signed records of where a machine's parts come from. */
export function originCommand(done: (exitCode: number) => void): Command {
  const command = new Command('origin').description(
    'signed records of what a part was designed as and built from',
  )
  command.addCommand(designCommand())
  command.addCommand(buildCommand())
  command.addCommand(checkCommand(done))
  command.addCommand(addCommand())
  return command
}

function designCommand(): Command {
  return new Command('design')
    .description('sign what a design is made of, with the key of a folder')
    .argument('<folder>', 'the maker’s key: liquefy machine keygen <folder>')
    .requiredOption('--name <name>')
    .requiredOption('--design-version <version>')
    .requiredOption('--file <files...>', 'what the design is made of')
    .requiredOption('--out <record>', 'where the record goes')
    .action(
      (
        folder: string,
        options: { name: string; designVersion: string; file: string[]; out: string },
        command: Command,
      ) => {
        const design: Design = {
          kind: 'design',
          name: options.name,
          version: options.designVersion,
          files: options.file.map(named),
        }
        signInto(folder, design, options.out, command)
      },
    )
}

function buildCommand(): Command {
  return new Command('build')
    .description('sign what one part was built from, with the key of a folder')
    .argument('<folder>', 'the maker’s key: liquefy machine keygen <folder>')
    .requiredOption('--model <model>')
    .requiredOption('--serial <serial>', 'of the part')
    .requiredOption('--artefact <file>', 'what was built in: its firmware')
    .requiredOption('--design <record>', 'the design record that it was built from')
    .option('--input <files...>', 'what else went in', [])
    .requiredOption('--out <record>', 'where the record goes')
    .action(
      (
        folder: string,
        options: Record<'model' | 'serial' | 'artefact' | 'design' | 'out', string> & {
          input: string[]
        },
        command: Command,
      ) => {
        const build: Build = {
          kind: 'build',
          model: options.model,
          serial: options.serial,
          artefact: digestOf(readBytes(options.artefact)),
          design: recordIn(options.design).recordId,
          builtAt: Math.floor(Date.now() / 1_000),
          inputs: options.input.map(named),
        }
        signInto(folder, build, options.out, command)
      },
    )
}

function checkCommand(done: (exitCode: number) => void): Command {
  return new Command('check')
    .description('check a part against its records; exit code 1 names what does not fit')
    .argument('<build>', 'build record of the part')
    .option('--design <record>', 'the design record that it should be built from')
    .option('--artefact <file>', 'the firmware that it should have')
    .option('--maker <did>', 'did:key that you know the maker by')
    .action(
      (
        build: string,
        options: { design?: string; artefact?: string; maker?: string },
        command: Command,
      ) => {
        const { out } = contextOf(command)
        const checked = checkOrigin({
          build: readBytes(build),
          design: options.design === undefined ? undefined : readBytes(options.design),
          artefact:
            options.artefact === undefined ? undefined : digestOf(readBytes(options.artefact)),
          maker: options.maker,
        })
        const { faults } = checked
        const json = {
          build: checked.build && viewOf(checked.build),
          design: checked.design && viewOf(checked.design),
          faults,
        }
        out.result(json, () =>
          [
            table([checked.build, checked.design].flatMap((one) => (one ? rowsOf(one) : []))),
            ...faults.map(({ code, message }) => `FAULT ${code}: ${message}`),
            ...(faults.length === 0 ? [fitText(options)] : []),
          ].join('\n'),
        )
        done(faults.length === 0 ? EXIT.ok : EXIT.faultFound)
      },
    )
}

function addCommand(): Command {
  return new Command('add')
    .description('show a record beside a machine of yours, to whoever buys it')
    .argument('<machineId>')
    .argument('<record>', 'what `liquefy origin design` or `build` wrote')
    .option('--as <person>', 'owner: one of the embedded chain’s people')
    .option('--key-file <file>', 'owner: file with a private key')
    .action(
      async (
        given: string,
        path: string,
        options: { as?: string; keyFile?: string },
        command: Command,
      ) => {
        const context = contextOf(command)
        const machineId = machineIdOf(given)
        const bytes = readBytes(path)
        const owner = walletOf(context.folder, options)
        const record = await asPerson(context, owner, (client) =>
          client.addRecord(machineId, bytes),
        )
        context.out.result(
          record,
          `Machine ${given} has the ${record.kind} record of ${record.subject}, by ${record.issuer}.`,
        )
      },
    )
}

function signInto(folder: string, content: Design | Build, path: string, command: Command): void {
  if (!hasKey(folder)) {
    throw new CliError(
      'KEY_MISSING',
      `${folder} holds no key. Make one: liquefy machine keygen ${folder}`,
    )
  }
  const maker = loadKey(folder, machinePassphrase(), machinePin())
  const bytes = signOrigin(maker, content, Math.floor(Date.now() / 1_000))
  writeFileSync(path, bytes)
  const recordId = digestOf(bytes)
  const issuer = didKey(maker.publicKey)
  contextOf(command).out.result(
    { file: path, recordId, issuer, ...content },
    `${path} holds the ${content.kind} record, signed by ${issuer}.`,
  )
}

function recordIn(path: string): OriginRecord {
  const read = readOrigin(readBytes(path))
  if (!read.ok) throw new CliError(read.code, `${path} is no record: ${read.message}.`)
  if (isSigned(read.record)) return read.record
  throw new CliError(
    'ORIGIN_SIGNATURE_INVALID',
    `${path} is not signed by ${read.record.issuer}, whom it names as its maker.`,
  )
}

const named = (path: string): NamedDigest => ({
  name: basename(path),
  digest: digestOf(readBytes(path)),
})

const digestOf = (bytes: Uint8Array): Hex => `0x${createHash('sha256').update(bytes).digest('hex')}`

const viewOf = ({ recordId, issuer, subject, issuedAt, content }: OriginRecord) => ({
  recordId,
  issuer,
  subject,
  issuedAt,
  ...content,
})

function rowsOf({ content, subject, issuer, issuedAt }: OriginRecord): string[][] {
  return [
    [content.kind, subject],
    ['maker', issuer],
    ['signed', new Date(issuedAt * 1_000).toISOString()],
  ]
}

function fitText(options: { design?: string; artefact?: string; maker?: string }): string {
  const known =
    options.maker === undefined
      ? ' Whether that is the maker, you must know from elsewhere: --maker <did>.'
      : ''
  const left = [
    options.design === undefined && '--design',
    options.artefact === undefined && '--artefact',
  ].filter((option) => option !== false)
  const open = left.length === 0 ? '' : ` Not looked at: ${left.join(', ')}.`
  return `It is signed by who it names, and what was given fits.${open}${known}`
}
