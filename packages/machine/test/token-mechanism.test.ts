import { beforeAll, describe, expect, test } from 'vitest'
import { createTokenKey } from '../src/index.ts'
import { scratchFolder } from './folder.ts'
import { hasSoftHsm, MODULE, makeToken, sayIfNoSoftHsm, useTokens } from './softhsm.ts'

sayIfNoSoftHsm('a token without ECDSA')

describe.runIf(hasSoftHsm)('a token without ECDSA (SoftHSM)', () => {
  beforeAll(() => {
    useTokens(scratchFolder(), 'CKM_RSA_PKCS_KEY_PAIR_GEN,CKM_SHA256_RSA_PKCS')
    makeToken('old', '2468')
  })

  test('is refused with words before any machine depends on it', () => {
    const place = { module: MODULE, token: 'old' }
    expect(() => createTokenKey(scratchFolder(), place, 'P-256', '2468')).toThrow(
      expect.objectContaining({ code: 'TOKEN_MECHANISM_MISSING' }),
    )
  })
})
