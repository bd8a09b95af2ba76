import { randomBytes } from 'node:crypto'
import {
  CURVE_NUMBER,
  headsHash,
  keyId,
  type PrivateKey,
  privateKeyFromBytes,
  registerControlledDigest,
  registerDigest,
  rekeyDigest,
  rotateDigest,
  signTypedDigest,
} from '@liquefy/protocol'
import { bytesToHex } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { Measure } from './actions.ts'
import { registerMachines, registryCall } from './business.ts'
import type { BenchLedger } from './ledger.ts'

const FAR = 2n ** 40n

/** A machine's life: registered, activated, rotated, revoked, given a new key, suspended, sold and scrapped. */
export async function machineActions(
  ledger: BenchLedger,
  people: { payer: PrivateKeyAccount; payee: PrivateKeyAccount },
  measure: Measure,
): Promise<void> {
  const { payee: owner, payer: buyer } = people
  const { chainId } = ledger
  const { registry, p256Sha256Verifier: verifier } = ledger.node.deployment
  const send = (account: PrivateKeyAccount, functionName: string, args: readonly unknown[]) =>
    ledger.send(account, registryCall(ledger, functionName, args))
  const onChain = ({ publicKey: { x, y } }: PrivateKey) => ({
    curve: CURVE_NUMBER['P-256'],
    verifier,
    x,
    y,
  })

  const [edge] = await registerMachines(ledger, owner, 'P-256', 1)
  if (!edge) throw new Error('No edge was registered.')
  const firstKey = privateKeyFromBytes('P-256', randomBytes(32))
  const registration = registerDigest({
    chainId,
    registry,
    owner: owner.address,
    keyId: keyId(firstKey.publicKey),
    verifier,
    deadline: FAR,
  })
  const possession = signTypedDigest(firstKey, registration)
  await measure(
    'register',
    send(owner, 'register', [owner.address, onChain(firstKey), FAR, possession]),
  )
  const machineId = edge.machineId + 1n
  await measure('activate', send(owner, 'activate', [machineId]))

  const salt = bytesToHex(randomBytes(32))
  const controlled = { owner: owner.address, controller: edge.machineId, salt, deadline: FAR }
  const proof = signTypedDigest(
    edge.key,
    registerControlledDigest({ chainId, registry, ...controlled }),
  )
  await measure(
    'registerControlled',
    send(owner, 'registerControlled', [owner.address, edge.machineId, salt, FAR, proof]),
  )

  const secondKey = privateKeyFromBytes('P-256', randomBytes(32))
  const heads = [{ stream: 'energy', seq: 700n, digest: bytesToHex(randomBytes(32)) }]
  const rotation = rotateDigest({
    chainId,
    registry,
    machineId,
    newKeyId: keyId(secondKey.publicKey),
    newVerifier: verifier,
    headsHash: headsHash(heads),
    nonce: 1n,
    deadline: FAR,
  })
  const proofs = [firstKey, secondKey].map((key) => signTypedDigest(key, rotation))
  await measure(
    'rotate',
    send(owner, 'rotate', [machineId, onChain(secondKey), heads, FAR, ...proofs]),
  )

  await measure('revoke', send(owner, 'revoke', [machineId]))
  const thirdKey = privateKeyFromBytes('P-256', randomBytes(32))
  const rekeying = rekeyDigest({
    chainId,
    registry,
    machineId,
    newKeyId: keyId(thirdKey.publicKey),
    newVerifier: verifier,
    nonce: 2n,
    deadline: FAR,
  })
  await measure(
    'rekey',
    send(owner, 'rekey', [machineId, onChain(thirdKey), FAR, signTypedDigest(thirdKey, rekeying)]),
  )
  await measure('suspend', send(owner, 'suspend', [machineId]))
  await measure('resume', send(owner, 'resume', [machineId]))
  const reason = 'Sensor 2 shows nonsense since Monday'
  await measure('suspendWithReason', send(owner, 'suspendWithReason', [machineId, reason]))
  await send(owner, 'resume', [machineId])
  await measure(
    'transferFrom',
    send(owner, 'transferFrom', [owner.address, buyer.address, machineId]),
  )
  await measure('decommission', send(buyer, 'decommission', [machineId]))
}
