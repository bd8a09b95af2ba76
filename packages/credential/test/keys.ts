import { randomBytes } from 'node:crypto'
import { type Curve, type PrivateKey, privateKeyFromBytes } from '@liquefy/protocol'

export const newKey = (curve: Curve = 'P-256'): PrivateKey =>
  privateKeyFromBytes(curve, new Uint8Array(randomBytes(32)))
