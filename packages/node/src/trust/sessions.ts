import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Hex, Session } from '@liquefy/client'
import { LiquefyError } from '@liquefy/protocol'
import { verifyMessage } from 'viem'
import { parseSiweMessage, validateSiweMessage } from 'viem/siwe'
import type { Clock } from '../clock.ts'
import type { Database } from '../store/database.ts'
import { endSession, openSignInKey, readSession, saveSession, useNonce } from '../store/sessions.ts'

/** Signs people in by EIP-4361 (Sign-In with Ethereum). A session moves no money: that takes a signature of its own each time. */
export interface Sessions {
  /** For one message, within ten minutes. */
  nonce(): Promise<{ nonce: string; expiresMs: number }>
  /**
   * Takes a signed message.
   *
   * @param origin of the page that asks, as this node is reached: the message must name it.
   * @throws SignInError
   */
  signIn(signed: { message: string; signature: Hex; origin: URL }): Promise<Session>
  /** Whose it is. @throws SignInError `SESSION_INVALID` */
  of(token: string): Promise<{ address: Hex; expiresMs: number }>
  end(token: string): Promise<void>
}

/** Nobody was signed in; the message says why. */
export class SignInError extends LiquefyError {}

const NONCE_MS = 10 * 60_000
const SESSION_MS = 12 * 3_600_000
const KEY_BYTES = 32
/** Hex: 6 bytes of time, 10 at random, 16 of HMAC-SHA-256. EIP-4361 takes letters and digits. */
const NONCE = /^([0-9a-f]{12})[0-9a-f]{20}[0-9a-f]{32}$/

export async function createSessions(options: {
  database: Database
  clock: Clock
  chainId: number
  /** Asks the ledger whether a contract account accepts a signature (ERC-1271). */
  contractAccepts(signed: { address: Hex; message: string; signature: Hex }): Promise<boolean>
}): Promise<Sessions> {
  const { database, clock, chainId, contractAccepts } = options
  const key = await openSignInKey(database.pool, randomBytes(KEY_BYTES))
  const seal = (text: string) =>
    createHmac('sha256', key).update(text).digest('hex').slice(0, KEY_BYTES)

  /** When a nonce of ours ends; undefined if it is none. */
  const endOf = (nonce: string): number | undefined => {
    const timeHex = NONCE.exec(nonce)?.[1]
    if (timeHex === undefined) return undefined
    const [open, sealed] = [nonce.slice(0, -KEY_BYTES), nonce.slice(-KEY_BYTES)]
    const isOurs = timingSafeEqual(Buffer.from(seal(open)), Buffer.from(sealed))
    return isOurs ? Number.parseInt(timeHex, 16) : undefined
  }

  return {
    async nonce() {
      const expiresMs = clock.nowMs() + NONCE_MS
      const open = expiresMs.toString(16).padStart(12, '0') + randomBytes(10).toString('hex')
      return { nonce: open + seal(open), expiresMs }
    },

    async signIn({ message, signature, origin }) {
      const said = parseSiweMessage(message)
      const { address, nonce, uri } = said
      if (!address || !nonce || !uri || said.version !== '1') {
        throw new SignInError(
          'SIGN_IN_INVALID',
          'This is no message of EIP-4361: sign what the page shows, unchanged.',
        )
      }
      if (said.domain !== origin.host || !URL.canParse(uri) || new URL(uri).host !== origin.host) {
        throw new SignInError(
          'SIGN_IN_ELSEWHERE',
          `The message signs in at ${said.domain}, and this is ${origin.host}. Do not sign it if you are not there.`,
        )
      }
      if (said.chainId !== chainId) {
        throw new SignInError(
          'SIGN_IN_NETWORK',
          `The message is for chain ${said.chainId}, this node is on chain ${chainId}: switch the wallet to it.`,
        )
      }
      const nowMs = clock.nowMs()
      const expiresMs = endOf(nonce)
      const inTime = validateSiweMessage({ message: said, time: new Date(nowMs) })
      if (expiresMs === undefined || expiresMs < nowMs || !inTime) {
        throw new SignInError('SIGN_IN_EXPIRED', 'This sign-in is too old: sign in once more.')
      }
      const signed = { address, message, signature }
      const holds =
        (await verifyMessage(signed).catch(() => false)) || (await contractAccepts(signed))
      if (!holds) {
        throw new SignInError(
          'SIGNATURE_INVALID',
          `The signature is not one of ${address}: choose the account in the wallet that the page names.`,
        )
      }
      if (!(await useNonce(database.pool, { nonce, expiresMs, nowMs }))) {
        throw new SignInError('SIGN_IN_EXPIRED', 'This sign-in was used before: sign in once more.')
      }
      const token = randomBytes(KEY_BYTES).toString('base64url')
      const session = {
        address: address.toLowerCase() as Hex,
        expiresMs: nowMs + SESSION_MS,
      }
      await saveSession(database.pool, { tokenHash: hashOf(token), ...session, nowMs })
      return { token, ...session }
    },

    async of(token) {
      const session = await readSession(database.pool, hashOf(token), clock.nowMs())
      if (session) return session
      throw new SignInError('SESSION_INVALID', 'This session has ended: sign in again.')
    },

    end: (token) => endSession(database.pool, hashOf(token)),
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
