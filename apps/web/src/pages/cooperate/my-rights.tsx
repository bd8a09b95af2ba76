import type { Hex, UsageRightView } from '@liquefy/client'
import { useState } from 'react'
import { isAddress } from 'viem'
import { useDeployment } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { At, Card, Party } from '../../ui/parts.tsx'
import { Empty } from '../../ui/states.tsx'
import { useStep } from '../../wallet/use-step.tsx'

/** What whoever is signed in holds of this machine, and lends. */
export const MyRights = ({ rights }: { rights: readonly UsageRightView[] }) => (
  <Card title="My rights">
    {rights.length === 0 ? (
      <Empty title="None yet">You hold no hours of this machine.</Empty>
    ) : (
      <ul className="rights">
        {rights.map((right) => (
          <li key={right.rightId}>
            <p>{right.words}</p>
            <p className="note">
              Right {right.rightId}
              <LentTo right={right} />
            </p>
            <Lend right={right} />
          </li>
        ))}
      </ul>
    )}
  </Card>
)

const LentTo = ({ right: { user, userUntilMs, owner } }: { right: UsageRightView }) => {
  const me = useSession()?.address
  if (user === null || userUntilMs === null || userUntilMs < Date.now()) return null
  return user === me ? (
    <>
      , lent to you by <Party address={owner} />
    </>
  ) : (
    <>
      , lent to <Party address={user} /> until <At timeMs={Math.min(userUntilMs, lastDateMs)} />
    </>
  )
}

/** The last that a date can say. */
const lastDateMs = 8.64e15
const weekMs = 7 * 86_400_000

const Lend = ({ right }: { right: UsageRightView }) => {
  const me = useSession()?.address
  const people = useDeployment().data?.people ?? []
  const [to, setTo] = useState('')
  const isLent = right.user !== null && (right.userUntilMs ?? 0) >= Date.now()
  const user = isAddress(to, { strict: false }) ? (to.toLowerCase() as Hex) : undefined
  const step = useStep(async (wallets) => {
    const { lend } = await import('../../wallet/hours.ts')
    const whom = isLent ? undefined : user
    await lend(wallets, { rightId: right.rightId, user: whom, untilMs: Date.now() + weekMs })
    setTo('')
    return isLent ? 'Taken back.' : 'Lent for a week.'
  }, asItIs)
  if (right.owner !== me) return null
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault()
        step.start()
      }}
    >
      {isLent ? null : (
        <label className="field">
          <span>Lend it for a week to</span>
          <input
            list={`people-${right.rightId}`}
            autoComplete="off"
            placeholder="0x…"
            value={to}
            onChange={({ target }) => setTo(target.value)}
          />
          <datalist id={`people-${right.rightId}`}>
            {people.map(({ name, address }) => (
              <option key={address} value={address}>
                {name}
              </option>
            ))}
          </datalist>
        </label>
      )}
      <button
        type="submit"
        className="button button-quiet"
        disabled={step.isBlocked || (!isLent && user === undefined)}
      >
        {isLent ? 'Take it back' : 'Lend'}
      </button>
      {step.words}
    </form>
  )
}

const asItIs = (words: string) => words
