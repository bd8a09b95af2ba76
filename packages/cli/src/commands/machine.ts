import {
  createKey,
  hasKey,
  loadIdentity,
  loadKey,
  passwordToken,
  saveIdentity,
} from '@liquefy/machine'
import { type Curve, keyId, tariffContracts } from '@liquefy/protocol'
import { Command, Option } from 'commander'
import { contextOf } from '../context.ts'
import { ledgerOf } from '../contracts.ts'
import { CliError } from '../failure.ts'
import { machinePassphrase } from '../machine-passphrase.ts'
import { registerMachines } from '../machine-registration.ts'
import { moneyText } from '../money.ts'
import { table } from '../output.ts'
import { walletOf } from '../wallet.ts'
import {
  rekeyCommand,
  resumeCommand,
  revokeCommand,
  rotateCommand,
  suspendCommand,
  transferCommand,
} from './machine-life.ts'

const TOKEN_SECONDS = 3_600

/** `liquefy machine`: keys, registration, tokens, and what the node knows of machines. */
export function machineCommand(): Command {
  const command = new Command('machine').description('keys, registration and passwords of machines')
  command.addCommand(keygen())
  command.addCommand(register())
  command.addCommand(token())
  command.addCommand(list())
  command.addCommand(show())
  command.addCommand(suspendCommand())
  command.addCommand(resumeCommand())
  command.addCommand(rotateCommand())
  command.addCommand(revokeCommand())
  command.addCommand(rekeyCommand())
  command.addCommand(transferCommand())
  return command
}

function keygen(): Command {
  return new Command('keygen')
    .description('make a key for a new machine; its folder is where it will keep its readings too')
    .argument('<folder>', 'folder of the machine')
    .addOption(new Option('--curve <curve>').choices(['P-256', 'secp256k1']).default('P-256'))
    .action((folder: string, { curve }: { curve: Curve }, command: Command) => {
      const { out } = contextOf(command)
      const passphrase = machinePassphrase()
      const { publicKey } = createKey(folder, curve, passphrase)
      const id = keyId(publicKey)
      out.result(
        { folder, keyId: id, ...publicKey },
        `${folder}/key.${passphrase ? 'pem' : 'json'} holds a ${curve} key with the id ${id}.\nRegister it: liquefy machine register ${folder} --as <person>`,
      )
    })
}

function register(): Command {
  return new Command('register')
    .description('register the key of a folder on the ledger, and make the machine active')
    .argument('<folder>', 'folder that `liquefy machine keygen` made')
    .option('--as <person>', 'owner: one of the embedded chain’s people')
    .option('--key-file <file>', 'owner: file with a private key')
    .action(
      async (folder: string, options: { as?: string; keyFile?: string }, command: Command) => {
        const context = contextOf(command)
        if (!hasKey(folder)) {
          throw new CliError(
            'KEY_MISSING',
            `${folder} holds no key. Make one: liquefy machine keygen ${folder}`,
          )
        }
        const known = loadIdentity(folder)
        if (known) {
          throw new CliError(
            'MACHINE_REGISTERED',
            `The key in ${folder} is machine ${known.machineId} already.`,
          )
        }
        const owner = walletOf(context.folder, options)
        const { ledger, contracts, mqttUrl } = await ledgerOf(context)
        const [machineId] = await registerMachines(ledger, contracts.registry, owner, [
          loadKey(folder, machinePassphrase()),
        ])
        if (machineId === undefined) throw new RangeError('One key gives one machine.')
        saveIdentity(folder, {
          machineId,
          chainId: ledger.chainId,
          registry: contracts.registry,
          clearingHouse: contracts.clearingHouse,
          tariffs: tariffContracts(contracts),
          ...(mqttUrl ? { mqttUrl } : {}),
        })
        const json = {
          machineId: machineId.toString(),
          owner: owner.address,
          registry: contracts.registry,
          folder,
        }
        context.out.result(
          json,
          `Machine ${machineId} of ${owner.address} is active.\nIts MQTT password: liquefy machine token ${folder}`,
        )
      },
    )
}

function token(): Command {
  return new Command('token')
    .description('a fresh MQTT password of a machine, valid for an hour')
    .argument('<folder>', 'folder of a registered machine')
    .action((folder: string, _options: object, command: Command) => {
      const { out } = contextOf(command)
      const identity = loadIdentity(folder)
      if (!identity) {
        throw new CliError(
          'MACHINE_UNREGISTERED',
          `${folder} is no registered machine yet: liquefy machine register ${folder} --as <person>`,
        )
      }
      const nowMs = Date.now()
      const password = passwordToken(loadKey(folder, machinePassphrase()), identity, nowMs)
      const expiresAtMs = (Math.floor(nowMs / 1000) + TOKEN_SECONDS) * 1000
      out.result(
        { machineId: identity.machineId.toString(), token: password, expiresAtMs },
        password,
      )
    })
}

function list(): Command {
  return new Command('list')
    .description('machines that the node knows')
    .action(async (_options: object, command: Command) => {
      const { node, out } = contextOf(command)
      const machines = await node().machines()
      out.result(machines, () =>
        machines.length === 0
          ? 'No machines yet. Make a key: liquefy machine keygen <folder>'
          : table([
              ['id', 'name', 'state', 'envelopes', 'refused', 'last reading'],
              ...machines.map((machine) => [
                machine.machineId,
                machine.name,
                machine.state,
                String(machine.envelopes),
                String(machine.refused),
                machine.lastReadingMs === null
                  ? 'never'
                  : new Date(machine.lastReadingMs).toISOString(),
              ]),
            ]),
      )
    })
}

function show(): Command {
  return new Command('show')
    .description('one machine: key, streams, agreements, money')
    .argument('<machineId>')
    .action(async (machineId: string, _options: object, command: Command) => {
      if (!/^[1-9]\d{0,76}$/.test(machineId)) {
        throw new CliError(
          'MACHINE_INVALID',
          `${machineId} is no machine id: a number from 1. See \`liquefy machine list\`.`,
        )
      }
      const { node, out } = contextOf(command)
      const client = node()
      const [machine, { asset }] = await Promise.all([
        client.machine(machineId),
        client.deployment(),
      ])
      const money = moneyText(asset)
      out.result(machine, () =>
        table([
          ['machine', `${machine.machineId} ${machine.name}`],
          ['state', machine.state],
          ['owner', machine.owner],
          ...(machine.controller ? [['controller', machine.controller]] : []),
          ['key', machine.key ? `${machine.key.curve} ${machine.key.keyId}` : 'none'],
          ...machine.streams.map(({ stream, envelopes, lastSeq, unit }) => [
            `stream ${stream}`,
            `${envelopes} envelopes, last seq ${lastSeq}${unit ? `, in ${unit}` : ''}`,
          ]),
          ...machine.agreements.map((agreement) => ['agreement', agreement]),
          ['refused', String(machine.refused)],
          ['owed', money(machine.owedMinor)],
          ['settled', money(machine.settledMinor)],
        ]),
      )
    })
}
