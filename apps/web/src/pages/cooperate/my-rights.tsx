import type { UsageRightView } from '@liquefy/client'
import { useState } from 'react'
import { useDeployment } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { At, Card, Party } from '../../ui/parts.tsx'
import { Empty } from '../../ui/states.tsx'
import { StepForm } from '../../wallet/step-form.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import { accountIn } from './account.ts'
import { AccountField } from './account-field.tsx'

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
  const deployment = useDeployment().data
  const [to, setTo] = useState('')
  const isLent = right.user !== null && (right.userUntilMs ?? 0) >= Date.now()
  const user = accountIn(to, deployment)
  const step = useStep(async (wallets) => {
    const { lend } = await import('../../wallet/hours.ts')
    const whom = isLent ? undefined : user
    await lend(wallets, { rightId: right.rightId, user: whom, untilMs: Date.now() + weekMs })
    setTo('')
    return isLent ? 'Taken back.' : 'Lent for a week.'
  }, asItIs)
  if (right.owner !== me) return null
  return (
    <StepForm step={step}>
      {isLent ? null : <AccountField label="Lend it for a week to" value={to} onChange={setTo} />}
      <button
        type="submit"
        className="button button-quiet"
        disabled={step.isBlocked || (!isLent && user === undefined)}
      >
        {isLent ? 'Take it back' : 'Lend'}
      </button>
    </StepForm>
  )
}

const asItIs = (words: string) => words
