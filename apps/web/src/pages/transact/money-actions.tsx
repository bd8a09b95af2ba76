import type { Agreement } from '@liquefy/client'
import { useState } from 'react'
import { useDeployment } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { amountIn } from '../../ui/amount.ts'
import { formatExact } from '../../ui/format.ts'
import { Card } from '../../ui/parts.tsx'
import { StepForm } from '../../wallet/step-form.tsx'
import { useStep } from '../../wallet/use-step.tsx'

/** What whoever is signed in may do with an agreement's money; nothing for anybody else. */
export const MoneyActions = ({ agreement }: { agreement: Agreement }) => {
  const me = useSession()?.address
  if (me === undefined) return null
  const pays = agreement.payer.toLowerCase() === me && agreement.open
  const earns = agreement.position.owner.toLowerCase() === me
  if (!pays && !earns) return null
  return (
    <div className="columns">
      {pays ? (
        <div id="top-up">
          <Fund agreement={agreement} />
        </div>
      ) : null}
      {earns ? <Withdraw agreement={agreement} /> : null}
    </div>
  )
}

/** Puts money into an agreement's escrow. `suggested`: the amount that stands there at first, in the asset. */
export const Fund = ({
  agreement,
  title = 'Top up escrow',
  suggested = '',
}: {
  agreement: Agreement
  title?: string
  suggested?: string
}) => {
  const asset = useDeployment().data?.asset
  const [text, setText] = useState(suggested)
  const amount = amountIn(text, asset?.decimals ?? 0)
  const step = useStep(async (wallets, say) => {
    if (typeof amount !== 'bigint') throw new Error(amount)
    const { fundAgreement } = await import('../../wallet/payments.ts')
    await fundAgreement(wallets, { agreementId: agreement.agreementId, amountMinor: amount }, say)
    setText('')
    return `${text} ${asset?.symbol ?? ''} more in escrow.`
  }, asItIs)
  return (
    <Card title={title}>
      <StepForm step={step}>
        <label className="field">
          <span>Amount in {asset?.symbol}</span>
          <input
            inputMode="decimal"
            autoComplete="off"
            value={text}
            placeholder="250.00"
            onChange={({ target }) => setText(target.value)}
          />
        </label>
        {text !== '' && typeof amount === 'string' ? <p className="note">{amount}</p> : null}
        <button
          type="submit"
          className="button"
          disabled={typeof amount !== 'bigint' || step.isBlocked}
        >
          Put into escrow
        </button>
      </StepForm>
    </Card>
  )
}

const Withdraw = ({ agreement }: { agreement: Agreement }) => {
  const asset = useDeployment().data?.asset
  const step = useStep(async (wallets, say) => {
    const { withdrawEarnings } = await import('../../wallet/payments.ts')
    const amount = await withdrawEarnings(wallets, agreement, say)
    const decimals = asset?.decimals ?? 0
    return `${formatExact(String(amount), decimals, decimals)} ${asset?.symbol ?? ''} paid out to your account.`
  }, asItIs)
  return (
    <Card title="Withdraw">
      <p className="note">
        Credits what this agreement has earned, and pays out all that is yours in the clearing
        house.
      </p>
      <div className="form">
        <button type="button" className="button" disabled={step.isBlocked} onClick={step.start}>
          Withdraw
        </button>
        {step.words}
      </div>
    </Card>
  )
}

const asItIs = (words: string) => words
