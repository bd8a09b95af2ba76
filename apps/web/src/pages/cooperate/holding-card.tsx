import type { Holding, Vault } from '@liquefy/client'
import { useState } from 'react'
import { useDeployment } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { countOf, formatCount } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Card, Figure, Party } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import { accountIn } from './account.ts'
import { AccountField } from './account-field.tsx'
import { ppmPercent } from './percent.ts'
import { sharesIn } from './shares.ts'
import { StatementButton } from './statement-button.tsx'
import { usePortfolio } from './vault-queries.ts'
import { sameAccount } from './vault-words.ts'

/** What whoever is signed in has in a vault, and may do with it. */
export const HoldingCard = ({ vault }: { vault: Vault }) => {
  const me = useSession()?.address
  const portfolio = usePortfolio(me)
  if (me === undefined) {
    return (
      <Card title="Mine">
        <Empty title="Sign in to see yours">
          Your shares, what you may claim, and your votes: the button stands at the top.
        </Empty>
      </Card>
    )
  }
  return (
    <Card title="Mine">
      <Loaded query={portfolio} what="your shares">
        {({ holdings }) => {
          const holding = holdings.find((one) => sameAccount(one.vault, vault.vault))
          return holding ? (
            <Mine vault={vault} holding={holding} />
          ) : (
            <Empty title="You own no share">
              {vault.phase === 'selling'
                ? 'Buy one: the sale stands above.'
                : 'Shares move like any token: whoever has some can send or sell them to you.'}
            </Empty>
          )
        }}
      </Loaded>
    </Card>
  )
}

const Mine = ({ vault, holding }: { vault: Vault; holding: Holding }) => (
  <>
    <dl className="figures">
      <Figure name="Shares" note={ppmPercent(holding.sharePpm)}>
        {formatCount(holding.shares)}
      </Figure>
      <Figure name="Yours to claim">
        <Money minor={holding.claimableMinor} />
      </Figure>
      <Figure name="Earned so far" note="claimed or not">
        <Money minor={holding.earnedMinor} />
      </Figure>
    </dl>
    <div className="vault-forms after">
      <Claim vault={vault} holding={holding} />
      {holding.creditMinor === '0' ? null : <PayCredit vault={vault} holding={holding} />}
      {holding.shares === '0' ? null : (
        <>
          <Delegate vault={vault} holding={holding} />
          {vault.phase === 'live' ? <Transfer vault={vault} holding={holding} /> : null}
        </>
      )}
    </div>
  </>
)

const Claim = ({ vault, holding }: { vault: Vault; holding: Holding }) => {
  const step = useStep(
    async (wallets, say) => {
      const { claimIncomeOf } = await import('../../wallet/owning.ts')
      await claimIncomeOf(wallets, [vault], say)
      return true
    },
    () => 'Paid to your account.',
  )
  return (
    <div>
      <div className="actions">
        <button
          type="button"
          className="button"
          disabled={step.isBlocked || holding.claimableMinor === '0'}
          onClick={step.start}
        >
          Claim
        </button>
        <StatementButton vault={vault.vault} />
      </div>
      {step.words}
    </div>
  )
}

/** What he gets beside his shares: proceeds of the sale, a loan, a fee, a deposit. */
const PayCredit = ({ vault, holding }: { vault: Vault; holding: Holding }) => {
  const step = useStep(
    async (wallets) => {
      const { payCreditOf } = await import('../../wallet/owning.ts')
      await payCreditOf(wallets, vault.vault)
      return true
    },
    () => 'Paid to your account.',
  )
  return (
    <div>
      <h3>
        <Money minor={holding.creditMinor} /> beside your shares
      </h3>
      <p className="note">
        Proceeds of the sale, what you lent, fees, or a deposit that came back.
      </p>
      <button
        type="button"
        className="button button-quiet after"
        disabled={step.isBlocked}
        onClick={step.start}
      >
        Have it paid out
      </button>
      {step.words}
    </div>
  )
}

const Delegate = ({ vault, holding }: { vault: Vault; holding: Holding }) => {
  const deployment = useDeployment().data
  const me = useSession()?.address
  const [text, setText] = useState('')
  const to = accountIn(text, deployment)
  const isSelf = sameAccount(holding.delegate, me)
  const step = useStep(
    async (wallets) => {
      const { delegateVotesOf } = await import('../../wallet/owning.ts')
      if (!to) throw new Error('Say who votes with your shares.')
      await delegateVotesOf(wallets, { vault: vault.vault, to })
      setText('')
      return true
    },
    () => 'It counts for proposals whose vote has not begun yet.',
  )
  return (
    <div>
      <h3>{countOf(Number(holding.votes), 'vote')}</h3>
      <p className="note">
        {isSelf ? (
          'You vote with your shares yourself.'
        ) : (
          <>
            <Party address={holding.delegate} /> votes with your shares.
          </>
        )}
      </p>
      <details className="offer-details">
        <summary>Let somebody else vote</summary>
        <form
          className="form"
          onSubmit={(event) => {
            event.preventDefault()
            step.start()
          }}
        >
          <AccountField
            label="Who votes with my shares"
            value={text}
            onChange={setText}
            hint="Your own name takes it back."
          />
          <button
            type="submit"
            className="button button-quiet"
            disabled={to === undefined || step.isBlocked}
          >
            Delegate
          </button>
        </form>
      </details>
      {step.words}
    </div>
  )
}

const Transfer = ({ vault, holding }: { vault: Vault; holding: Holding }) => {
  const deployment = useDeployment().data
  const [text, setText] = useState('')
  const [count, setCount] = useState('')
  const to = accountIn(text, deployment)
  const shares = sharesIn(count, BigInt(holding.shares), 'yours')
  const step = useStep(
    async (wallets) => {
      const { sendSharesOf } = await import('../../wallet/owning.ts')
      if (!to) throw new Error('Say who gets them.')
      if (typeof shares !== 'bigint') throw new Error(shares)
      await sendSharesOf(wallets, { vault: vault.vault, to, shares })
      setText('')
      setCount('')
      return true
    },
    () => 'Sent. What they earned before stays yours.',
  )
  return (
    <details className="offer-details">
      <summary>Send shares</summary>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault()
          step.start()
        }}
      >
        <AccountField label="To whom" value={text} onChange={setText} />
        <label className="field">
          <span>How many</span>
          <input
            inputMode="numeric"
            autoComplete="off"
            value={count}
            onChange={({ target }) => setCount(target.value)}
          />
        </label>
        {count !== '' && typeof shares === 'string' ? <p className="note">{shares}</p> : null}
        <button
          type="submit"
          className="button button-quiet"
          disabled={to === undefined || typeof shares !== 'bigint' || step.isBlocked}
        >
          Send
        </button>
      </form>
      {step.words}
    </details>
  )
}
