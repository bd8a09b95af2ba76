import { writeRegistration } from '@liquefy/client'
import {
  createKey,
  createTokenKey,
  hasKey,
  loadIdentity,
  loadKey,
  passwordToken,
  proofOfPossession,
  saveIdentity,
} from '@liquefy/machine'
import { type Curve, didKey, keyId, type SigningKey, tariffContracts } from '@liquefy/protocol'
import { Command, Option } from 'commander'
import { isAddress, zeroAddress } from 'viem'
import { contextOf } from '../context.ts'
import { ledgerOf } from '../contracts.ts'
import { readDocument } from '../document-file.ts'
import { CliError } from '../failure.ts'
import { machineIdOf } from '../machine-id.ts'
import { registerMachines } from '../machine-registration.ts'
import { machinePassphrase, machinePin } from '../machine-secrets.ts'
import { makerText } from '../maker-text.ts'
import { moneyText } from '../money.ts'
import { table } from '../output.ts'
import { type TokenOptions, tokenPlaceOf } from '../token-place.ts'
import { walletOf } from '../wallet.ts'
import {
  accountCommand,
  didCommand,
  payCommand,
  policyCommand,
  publishKeyCommand,
} from './machine-account.ts'
import {
  acceptCommand,
  agreeCommand,
  machineFundCommand,
  reclaimCommand,
} from './machine-agreement.ts'
import { describeCommand } from './machine-describe.ts'
import { eraseCommand } from './machine-erase.ts'
import { historyCommand } from './machine-history.ts'
import {
  decommissionCommand,
  rekeyCommand,
  resumeCommand,
  revokeCommand,
  rotateCommand,
  suspendCommand,
  transferCommand,
} from './machine-life.ts'
import { partsCommand } from './machine-parts.ts'

const TOKEN_SECONDS = 3_600
/** So long the owner may take to register what a device has signed. */
const PROOF_SECONDS = 86_400

/** `liquefy machine`: keys, registration, tokens, and what the node knows of machines. */
export function machineCommand(): Command {
  const command = new Command('machine').description('keys, registration and passwords of machines')
  command.addCommand(keygen())
  command.addCommand(register())
  command.addCommand(prove())
  command.addCommand(adopt())
  command.addCommand(token())
  command.addCommand(list())
  command.addCommand(show())
  command.addCommand(describeCommand())
  command.addCommand(attest())
  command.addCommand(partsCommand())
  command.addCommand(suspendCommand())
  command.addCommand(resumeCommand())
  command.addCommand(rotateCommand())
  command.addCommand(revokeCommand())
  command.addCommand(rekeyCommand())
  command.addCommand(transferCommand())
  command.addCommand(decommissionCommand())
  command.addCommand(eraseCommand())
  command.addCommand(historyCommand())
  command.addCommand(accountCommand())
  command.addCommand(policyCommand())
  command.addCommand(payCommand())
  command.addCommand(acceptCommand())
  command.addCommand(agreeCommand())
  command.addCommand(machineFundCommand())
  command.addCommand(reclaimCommand())
  command.addCommand(didCommand())
  command.addCommand(publishKeyCommand())
  return command
}

function keygen(): Command {
  return new Command('keygen')
    .description('make a key for a new machine; its folder is where it will keep its readings too')
    .argument('<folder>', 'folder of the machine')
    .addOption(new Option('--curve <curve>').choices(['P-256', 'secp256k1']).default('P-256'))
    .option('--pkcs11 <module>', 'make it in a token: the shared library that reaches the token')
    .option('--token <label>', 'which token; its PIN comes from LIQUEFY_MACHINE_PIN(_FILE)')
    .action((folder: string, options: TokenOptions & { curve: Curve }, command: Command) => {
      const { out } = contextOf(command)
      const { curve } = options
      const place = tokenPlaceOf(options)
      const passphrase = machinePassphrase()
      const { publicKey } = place
        ? createTokenKey(folder, place, curve, machinePin())
        : createKey(folder, curve, passphrase)
      const id = keyId(publicKey)
      const where = place
        ? `The token "${place.token}"`
        : `${folder}/key.${passphrase ? 'pem' : 'json'}`
      out.result(
        { folder, keyId: id, did: didKey(publicKey), ...publicKey },
        `${where} holds a ${curve} key with the id ${id}.\nRegister it: liquefy machine register ${folder} --as <person>`,
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
        const key = keyIn(folder)
        const known = loadIdentity(folder)
        if (known) {
          throw new CliError(
            'MACHINE_REGISTERED',
            `The key in ${folder} is machine ${known.machineId} already.`,
          )
        }
        const owner = walletOf(context.folder, options)
        const { ledger, contracts, mqttUrl } = await ledgerOf(context)
        const [machineId] = await registerMachines(ledger, contracts.registry, owner, [key])
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

function prove(): Command {
  return new Command('prove')
    .description('print what the owner of a new machine needs to register it')
    .argument('<folder>', 'folder that `liquefy machine keygen` made')
    .requiredOption('--owner <address>', 'who will own it')
    .action(async (folder: string, { owner }: { owner: string }, command: Command) => {
      const { node, out } = contextOf(command)
      if (!isAddress(owner, { strict: false })) {
        throw new CliError('OWNER_INVALID', `${owner} is no address: 0x and 40 hex digits.`)
      }
      const key = keyIn(folder)
      const { chainId, registry, p256Sha256Verifier } = await node().deployment()
      const verifier = key.publicKey.curve === 'P-256' ? p256Sha256Verifier : zeroAddress
      const deadline = BigInt(Math.floor(Date.now() / 1000) + PROOF_SECONDS)
      const { proof } = proofOfPossession(key, { chainId, registry, owner, verifier, deadline })
      const request = { chainId, registry, owner, verifier, deadline, key: key.publicKey, proof }
      const line = writeRegistration(request)
      out.result(JSON.parse(line), line)
    })
}

function adopt(): Command {
  return new Command('adopt')
    .description('tell a folder which machine its owner has registered its key as')
    .argument('<folder>', 'folder that `liquefy machine keygen` made')
    .argument('<machineId>')
    .action(async (folder: string, machineId: string, _options: object, command: Command) => {
      const { node, out } = contextOf(command)
      const id = keyId(keyIn(folder).publicKey)
      const [{ key, state }, deployment] = await Promise.all([
        node().machine(machineIdOf(machineId)),
        node().deployment(),
      ])
      if (key?.keyId !== id) {
        throw new CliError(
          'KEY_DIFFERS',
          `Machine ${machineId} has another key than the one in ${folder} (${id}). Which machine was it registered as?`,
        )
      }
      const { chainId, registry, clearingHouse, mqttUrl } = deployment
      const tariffs = tariffContracts(deployment)
      const known = { chainId, registry, clearingHouse, mqttUrl, tariffs }
      saveIdentity(folder, { machineId: BigInt(machineId), ...known })
      out.result({ machineId, state, folder }, `${folder} is machine ${machineId}, ${state}.`)
    })
}

function keyIn(folder: string): SigningKey {
  if (hasKey(folder)) return loadKey(folder, machinePassphrase(), machinePin())
  throw new CliError(
    'KEY_MISSING',
    `${folder} holds no key. Make one: liquefy machine keygen ${folder}`,
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
      const password = passwordToken(
        loadKey(folder, machinePassphrase(), machinePin()),
        identity,
        nowMs,
      )
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
      const { node, out } = contextOf(command)
      const client = node()
      const [machine, { asset }] = await Promise.all([
        client.machine(machineIdOf(machineId)),
        client.deployment(),
      ])
      const money = moneyText(asset)
      out.result(machine, () =>
        table([
          ['machine', `${machine.machineId} ${machine.name}`],
          ['state', machine.state],
          ...(machine.suspension
            ? [
                [
                  'suspended',
                  `${new Date(machine.suspension.atMs).toISOString()} by ${machine.suspension.by}: ${machine.suspension.reason ?? 'no reason given'}`,
                ],
              ]
            : []),
          ['owner', machine.owner],
          ...(machine.did ? [['did', machine.did]] : []),
          ...(machine.controller ? [['controller', machine.controller]] : []),
          ['key', machine.key ? `${machine.key.curve} ${machine.key.keyId}` : 'none'],
          ...(machine.credential ? [['maker', makerText(machine.credential)]] : []),
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

function attest(): Command {
  return new Command('attest')
    .description('hand in what its maker says of a machine')
    .argument('<machineId>')
    .argument('<file>', 'the credential that the maker gave with the device')
    .option('--status-list <file>', 'the maker’s newest status list, handed in before')
    .action(
      async (
        machineId: string,
        file: string,
        { statusList }: { statusList?: string },
        command: Command,
      ) => {
        const { node, out } = contextOf(command)
        const id = machineIdOf(machineId)
        const jwt = readDocument(file)
        const client = node()
        if (statusList) await client.submitStatusList(readDocument(statusList))
        const credential = await client.attest(id, jwt)
        out.result(
          { machineId, ...credential },
          `Machine ${machineId} is ${makerText(credential)}.`,
        )
      },
    )
}
