/**
 * Writes docs/protocol/vectors/{eip712,tariffs,consistency}.json: known answers that the Solidity tests and the TypeScript
 * tests both read. Nothing here calls the contracts: digests come from viem, signatures from node:crypto, tariffs and trees
 * from the few lines below. P-256 signatures are random, so a new run changes them, and nothing else.
 */
import { createECDH, createHash, createPrivateKey, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  concatHex,
  encodeAbiParameters,
  type Hex,
  hashTypedData,
  hexToBytes,
  keccak256,
  numberToHex,
  pad,
  type TypedDataDomain,
  toHex,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'

const folder = join(import.meta.dirname, '../docs/protocol/vectors')
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** Bigints become decimal strings, as in all our JSON. */
function save(name: string, content: unknown): void {
  const text = JSON.stringify(
    content,
    (_, value) => (typeof value === 'bigint' ? value.toString() : value),
    2,
  )
  writeFileSync(join(folder, name), `${text}\n`)
}

const label = (text: string): Hex => keccak256(toHex(text))
const address = (text: string): Hex => `0x${label(text).slice(26)}`

// --- keys -------------------------------------------------------------------------------------------------------------

function p256Key(privateKey: Hex) {
  const ecdh = createECDH('prime256v1')
  ecdh.setPrivateKey(hexToBytes(privateKey))
  const point = ecdh.getPublicKey()
  const x = toHex(point.subarray(1, 33))
  const y = toHex(point.subarray(33, 65))
  const base64url = (hex: Hex) => Buffer.from(hexToBytes(hex)).toString('base64url')
  const key = createPrivateKey({
    format: 'jwk',
    key: { kty: 'EC', crv: 'P-256', d: base64url(privateKey), x: base64url(x), y: base64url(y) },
  })
  /** SHA-256 of the digest, then ECDSA; s normalised to the lower half. */
  const signDigest = (digest: Hex): Hex => {
    const signature = sign('sha256', hexToBytes(digest), { key, dsaEncoding: 'ieee-p1363' })
    const s = BigInt(toHex(signature.subarray(32)))
    const low = s > P256_ORDER / 2n ? P256_ORDER - s : s
    return concatHex([toHex(signature.subarray(0, 32)), numberToHex(low, { size: 32 })])
  }
  return { curve: 1, privateKey, x, y, keyId: keyId(1, x, y), signDigest }
}

function secp256k1Key(privateKey: Hex) {
  const account = privateKeyToAccount(privateKey)
  const x: Hex = `0x${account.publicKey.slice(4, 68)}`
  const y: Hex = `0x${account.publicKey.slice(68)}`
  return {
    curve: 2,
    privateKey,
    x,
    y,
    keyId: keyId(2, x, y),
    account: account.address,
    signDigest: (hash: Hex) => account.sign({ hash }),
  }
}

function keyId(curve: number, x: Hex, y: Hex): Hex {
  return keccak256(
    encodeAbiParameters(
      [{ type: 'uint8' }, { type: 'bytes32' }, { type: 'bytes32' }],
      [curve, x, y],
    ),
  )
}

// --- EIP-712 ----------------------------------------------------------------------------------------------------------

const chainId = 31337
const registryDomain = {
  name: 'Liquefy MachineRegistry',
  version: '1',
  chainId,
  verifyingContract: address('registry'),
}
const houseDomain = {
  name: 'Liquefy ClearingHouse',
  version: '1',
  chainId,
  verifyingContract: address('house'),
}
const logDomain = {
  name: 'Liquefy EvidenceLog',
  version: '1',
  chainId,
  verifyingContract: address('anchor'),
}

const field = (text: string) => {
  const [type = '', name = ''] = text.trim().split(' ')
  return { type, name }
}
const fields = (text: string) => text.split(',').map(field)

const types = {
  Register: fields('address owner,bytes32 keyId,address verifier,uint256 deadline'),
  RegisterControlled: fields('address owner,uint256 controller,bytes32 salt,uint256 deadline'),
  Rotate: fields(
    'uint256 machineId,bytes32 newKeyId,address newVerifier,bytes32 headsHash,uint256 nonce,uint256 deadline',
  ),
  Rekey: fields(
    'uint256 machineId,bytes32 newKeyId,address newVerifier,uint256 nonce,uint256 deadline',
  ),
  Terms: fields(
    'address payer,address payee,address asset,uint256 machineId,Meter[] meters,uint8 signerKind,bytes32 signer,address tariff,bytes tariffData,Limit[] limits,uint256 capMinor,uint64 start,uint32 periodSeconds,uint32 periods,uint32 backfillSeconds,uint32 lateSeconds,uint32 gapTimeoutSeconds,uint32 settleSeconds,bool shared,uint64 openBy,bytes32 salt',
  ),
  Meter: fields('string stream,bytes32 ruleHash,bytes32 startHead'),
  Limit: fields('uint256 burst,uint256 perHour'),
  MeterValue: fields(
    'bytes32 agreementId,uint32 period,uint64 asOf,uint256[] registers,bytes32 evidenceHead',
  ),
  MeterValues: fields('MeterValue[] values'),
  Adjustment: fields('bytes32 agreementId,uint32 period,uint256 amount,bytes32 evidenceHead'),
  Funding: fields('bytes32 agreementId,address from,uint256 amount,bytes32 salt,uint256 deadline'),
  Checkpoint: fields('uint64 size,bytes32 root,uint64 timestamp'),
}

function digestOf(
  domain: TypedDataDomain,
  primaryType: keyof typeof types,
  message: Record<string, unknown>,
): Hex {
  return hashTypedData({ domain, types, primaryType, message } as Parameters<
    typeof hashTypedData
  >[0])
}

function eip712Vectors() {
  const device = p256Key(label('device key'))
  const nextDevice = p256Key(label('next device key'))
  const edge = secp256k1Key(label('edge key'))
  const log = secp256k1Key(label('log key'))
  const verifier = address('p256Sha256Verifier')
  const deadline = 4_000_000_000n
  const owner = address('owner')

  const signed = <T extends Record<string, unknown>>(
    domain: TypedDataDomain,
    primaryType: keyof typeof types,
    message: T,
    signers: Record<string, { signDigest: (digest: Hex) => Hex | Promise<Hex> }>,
  ) => {
    const digest = digestOf(domain, primaryType, message)
    return Promise.all(
      Object.entries(signers).map(
        async ([name, key]) => [name, await key.signDigest(digest)] as const,
      ),
    ).then((entries) => ({ message, digest, ...Object.fromEntries(entries) }))
  }

  const heads = [
    { stream: 'level', seq: 42n, digest: label('head of level') },
    { stream: 'energy', seq: 7n, digest: label('head of energy') },
  ]
  const headsHash = keccak256(
    encodeAbiParameters(
      [
        {
          type: 'tuple[]',
          components: [
            { name: 'stream', type: 'string' },
            { name: 'seq', type: 'uint64' },
            { name: 'digest', type: 'bytes32' },
          ],
        },
      ],
      [heads],
    ),
  )

  const base = {
    payer: address('payer'),
    payee: owner,
    asset: address('asset'),
    machineId: 1n,
    signerKind: 1,
    signer: pad('0x01', { size: 32 }),
    tariff: address('tariff'),
    capMinor: 5_000_000_000n,
    start: 1_800_000_000n,
    periodSeconds: 86_400,
    periods: 30,
    backfillSeconds: 259_200,
    lateSeconds: 7_200,
    gapTimeoutSeconds: 3_600,
    settleSeconds: 604_800,
    shared: false,
    openBy: 1_800_086_400n,
    salt: label('salt'),
  }
  const twoMeters = {
    ...base,
    meters: [
      { stream: 'level', ruleHash: label('rule of level'), startHead: label('start of level') },
      { stream: 'energy', ruleHash: label('rule of energy'), startHead: pad('0x', { size: 32 }) },
    ],
    tariffData: linearData([250_000n, 41n], 6),
    limits: [
      { burst: 5_000_000n, perHour: 2_000_000n },
      { burst: 10_000n, perHour: 50_000n },
    ],
  }
  const voucher = {
    ...base,
    machineId: 0n,
    meters: [],
    signerKind: 2,
    signer: pad(edge.account, { size: 32 }),
    tariffData: linearData([1n], 0),
    limits: [{ burst: 1_000_000n, perHour: 0n }],
    shared: true,
  }
  const terms = [twoMeters, voucher].map((message) => ({
    terms: message,
    agreementId: digestOf(houseDomain, 'Terms', message),
  }))

  const meterValue = {
    agreementId: terms[0]?.agreementId ?? '0x',
    period: 3,
    asOf: 1_800_300_000n,
    registers: [4_321_000n, 77n],
    evidenceHead: keccak256(concatHex([label('last of level'), label('last of energy')])),
  }
  const voucherValue = {
    agreementId: terms[1]?.agreementId ?? '0x',
    period: 0,
    asOf: 1_800_000_060n,
    registers: [700n],
    evidenceHead: pad('0x', { size: 32 }),
  }
  const adjustment = {
    agreementId: meterValue.agreementId,
    period: 3,
    amount: 123_456n,
    evidenceHead: keccak256(concatHex([label('late of level'), label('last of energy')])),
  }
  const funding = {
    agreementId: meterValue.agreementId,
    from: edge.account,
    amount: 10_000_000n,
    salt: label('funding'),
    deadline,
  }

  return Promise.all([
    signed(
      registryDomain,
      'Register',
      { owner, keyId: device.keyId, verifier, deadline },
      { signature: device },
    ),
    signed(
      registryDomain,
      'Register',
      { owner, keyId: edge.keyId, verifier: pad('0x', { size: 20 }), deadline },
      { signature: edge },
    ),
    signed(
      registryDomain,
      'RegisterControlled',
      { owner, controller: 2n, salt: label('controlled'), deadline },
      { signature: edge },
    ),
    signed(
      registryDomain,
      'Rotate',
      {
        machineId: 1n,
        newKeyId: nextDevice.keyId,
        newVerifier: verifier,
        headsHash,
        nonce: 1n,
        deadline,
      },
      { oldSignature: device, newSignature: nextDevice },
    ),
    signed(
      registryDomain,
      'Rekey',
      { machineId: 1n, newKeyId: nextDevice.keyId, newVerifier: verifier, nonce: 1n, deadline },
      { signature: nextDevice },
    ),
    signed(houseDomain, 'MeterValue', meterValue, { signature: device }),
    signed(
      houseDomain,
      'MeterValues',
      { values: [meterValue, voucherValue] },
      { signature: device },
    ),
    signed(houseDomain, 'Adjustment', adjustment, { signature: device }),
    signed(houseDomain, 'Funding', funding, { signature: edge }),
    quorumVector({
      threshold: 2,
      parties: [
        { signer: edge.account, key: edge },
        { signer: log.account },
        { signer: concatHex([verifier, device.x, device.y]), key: device },
      ],
      digest: digestOf(houseDomain, 'MeterValue', meterValue),
    }),
    signed(
      logDomain,
      'Checkpoint',
      { size: 123n, root: label('root'), timestamp: 1_800_300_000_123n },
      { signature: log },
    ),
  ]).then(
    ([
      register,
      registerSecp256k1,
      registerControlled,
      rotate,
      rekey,
      meterValueSigned,
      meterValues,
      adjustmentSigned,
      fundingSigned,
      quorum,
      checkpoint,
    ]) => ({
      about:
        'EIP-712 digests, key ids and signatures. P-256 signatures are over SHA-256 of the digest, r || s with low s; secp256k1 ones over the digest, r || s || v. Private keys are for tests only.',
      types: Object.fromEntries(
        Object.entries(types).map(([name, list]) => [
          name,
          list.map((entry) => `${entry.type} ${entry.name}`),
        ]),
      ),
      domains: { registry: registryDomain, house: houseDomain, log: logDomain },
      p256Sha256Verifier: verifier,
      keys: {
        device: publicPart(device),
        nextDevice: publicPart(nextDevice),
        edge: { ...publicPart(edge), account: edge.account },
        log: { ...publicPart(log), account: log.account },
      },
      register,
      registerSecp256k1,
      registerControlled,
      rotate: { heads, ...rotate },
      rekey,
      terms,
      meterValue: {
        evidenceDigests: [label('last of level'), label('last of energy')],
        ...meterValueSigned,
      },
      meterValues,
      adjustment: adjustmentSigned,
      funding: fundingSigned,
      authorization: {
        agreementId: funding.agreementId,
        salt: funding.salt,
        nonce: keccak256(concatHex([funding.agreementId, funding.salt])),
      },
      quorum,
      checkpoint,
    }),
  )
}

/** k of n over `digest`: who has a key has signed. `signer` is what terms carry, `signature` what `settle` takes. */
async function quorumVector(input: {
  threshold: number
  parties: { signer: Hex; key?: { signDigest: (digest: Hex) => Hex | Promise<Hex> } }[]
  digest: Hex
}) {
  const { threshold, digest } = input
  const parties = input.parties.toSorted((one, other) =>
    keccak256(one.signer) < keccak256(other.signer) ? -1 : 1,
  )
  const signers = parties.map(({ signer }) => signer.toLowerCase() as Hex)
  const signatures: Hex[] = await Promise.all(
    parties.map(async ({ key }) => (await key?.signDigest(digest)) ?? '0x'),
  )
  const commitment = [{ type: 'uint8' }, { type: 'bytes[]' }] as const
  return {
    threshold,
    signers,
    signer: keccak256(encodeAbiParameters(commitment, [threshold, signers])),
    digest,
    signatures,
    signature: encodeAbiParameters(
      [...commitment, { type: 'bytes[]' }],
      [threshold, signers, signatures],
    ),
  }
}

function publicPart(key: { curve: number; privateKey: Hex; x: Hex; y: Hex; keyId: Hex }) {
  const { curve, privateKey, x, y, keyId } = key
  return { curve, privateKey, x, y, keyId }
}

// --- tariffs ----------------------------------------------------------------------------------------------------------

const LIMIT_256 = 2n ** 256n

function linearData(prices: bigint[], scale: number): Hex {
  return encodeAbiParameters([{ type: 'uint256[]' }, { type: 'uint8' }], [prices, scale])
}

function tieredData(upTo: bigint[], prices: bigint[], scale: number): Hex {
  return encodeAbiParameters(
    [{ type: 'uint256[]' }, { type: 'uint256[]' }, { type: 'uint8' }],
    [upTo, prices, scale],
  )
}

/** Null where the sum does not fit 256 bits: the tariff fails there. */
function floorScaled(sum: bigint, scale: number): bigint | null {
  return sum >= LIMIT_256 ? null : sum / 10n ** BigInt(scale)
}

function linearCase(prices: bigint[], scale: number, registers: bigint[]) {
  const sum = registers.reduce((total, register, i) => total + register * (prices[i] ?? 0n), 0n)
  return {
    prices,
    scale,
    registers,
    elapsed: 0,
    data: linearData(prices, scale),
    owed: floorScaled(sum, scale),
  }
}

function tieredCase(upTo: bigint[], prices: bigint[], scale: number, register: bigint) {
  const edges = [0n, ...upTo]
  const sum = prices.reduce((total, price, i) => {
    const from = edges[i] ?? 0n
    const to = upTo[i] ?? register
    const end = register < to ? register : to
    return end > from ? total + (end - from) * price : total
  }, 0n)
  return {
    upTo,
    prices,
    scale,
    registers: [register],
    elapsed: 0,
    data: tieredData(upTo, prices, scale),
    owed: floorScaled(sum, scale),
  }
}

function tariffVectors() {
  const max = LIMIT_256 - 1n
  const tiers = [1_000n, 5_000n]
  const prices = [300n, 200n, 125n]
  return {
    about:
      'owed = floor(sum / 10^scale), floored once; null: the sum is 2^256 or more and the tariff fails. `data` is the ABI encoding that the terms carry.',
    linear: [
      linearCase([250_000n], 6, [0n]),
      linearCase([250_000n], 6, [3n]),
      linearCase([250_000n], 6, [4n]),
      linearCase([250_000n], 6, [123_456_789n]),
      linearCase([1n, 1n], 1, [5n, 5n]),
      linearCase([1n, 1n], 1, [5n, 4n]),
      linearCase([250_000n, 41n], 6, [4_321_000n, 77n]),
      linearCase([], 0, []),
      linearCase([max], 77, [1n]),
      linearCase([2n], 0, [2n ** 255n - 1n]),
      linearCase([2n], 0, [2n ** 255n]),
      linearCase([1n, 1n], 0, [max, 1n]),
    ],
    tiered: [0n, 1n, 999n, 1_000n, 1_001n, 4_999n, 5_000n, 5_001n, 10n ** 30n]
      .map((register) => tieredCase(tiers, prices, 2, register))
      .concat([
        tieredCase([], [7n], 0, 6n),
        tieredCase([1n], [3n, 0n], 1, 10n ** 40n),
        tieredCase([10n], [1n, 2n], 0, 2n ** 255n + 5n),
        tieredCase([10n], [1n, 2n], 0, 2n ** 255n + 10n),
      ]),
    invalid: {
      linear: [
        { registerCount: 2, data: linearData([1n], 0) },
        { registerCount: 1, data: linearData([1n], 78) },
        { registerCount: 1, data: '0x' },
      ],
      tiered: [
        { registerCount: 2, data: tieredData([10n], [1n, 2n], 0) },
        { registerCount: 1, data: tieredData([10n, 10n], [1n, 2n, 3n], 0) },
        { registerCount: 1, data: tieredData([0n], [1n, 2n], 0) },
        { registerCount: 1, data: tieredData([10n], [1n], 0) },
        { registerCount: 1, data: tieredData([], [], 0) },
        { registerCount: 1, data: tieredData([10n], [1n, 2n], 78) },
      ],
    },
  }
}

// --- evidence log -----------------------------------------------------------------------------------------------------

const sha256 = (bytes: Hex): Hex => toHex(createHash('sha256').update(hexToBytes(bytes)).digest())
const parent = (left: Hex, right: Hex): Hex => sha256(concatHex(['0x01', left, right]))

/** Largest power of two below `size`. */
function split(size: number): number {
  return 2 ** Math.floor(Math.log2(size - 1))
}

/** RFC 9162, 2.1.1. */
function rootOf(leaves: Hex[]): Hex {
  const [first] = leaves
  if (first === undefined) return sha256('0x')
  if (leaves.length === 1) return first
  const k = split(leaves.length)
  return parent(rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)))
}

/** RFC 9162, 2.1.4.1: SUBPROOF. */
function subproof(oldSize: number, leaves: Hex[], complete: boolean): Hex[] {
  if (oldSize === leaves.length) return complete ? [] : [rootOf(leaves)]
  const k = split(leaves.length)
  return oldSize <= k
    ? [...subproof(oldSize, leaves.slice(0, k), complete), rootOf(leaves.slice(k))]
    : [...subproof(oldSize - k, leaves.slice(k), false), rootOf(leaves.slice(0, k))]
}

function consistencyVectors() {
  const leafData = Array.from({ length: 12 }, (_, i) => ({
    digest: label(`envelope ${i}`),
    loggedAt: 1_800_000_000_000n + BigInt(i) * 250n,
    code: i % 5 === 4 ? 'CLOCK_SKEW' : 'OK',
  }))
  const leaves = leafData.map((leaf) => {
    const data = concatHex([leaf.digest, numberToHex(leaf.loggedAt, { size: 8 }), toHex(leaf.code)])
    return { ...leaf, data, hash: sha256(concatHex(['0x00', data])) }
  })
  const hashes = leaves.map((leaf) => leaf.hash)
  const cases = []
  for (let size = 2; size <= 12; size += 1) {
    for (let oldSize = 1; oldSize < size; oldSize += 1) {
      const known = hashes.slice(0, size)
      cases.push({
        oldSize,
        oldRoot: rootOf(hashes.slice(0, oldSize)),
        size,
        root: rootOf(known),
        proof: subproof(oldSize, known, true),
      })
    }
  }
  return {
    about:
      'RFC 9162 over our leaves: leaf hash = SHA-256(0x00 || data), and every consistency proof between sizes 1 to 12.',
    leaves,
    cases,
  }
}

save('eip712.json', await eip712Vectors())
save('tariffs.json', tariffVectors())
save('consistency.json', consistencyVectors())
