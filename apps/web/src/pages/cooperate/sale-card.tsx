import type { Vault, VaultSale } from '@liquefy/client'
import { useRef, useState } from 'react'
import { useDeployment } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { countOf, formatCount, formatExact } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Card, Figure, Until } from '../../ui/parts.tsx'
import { StepForm } from '../../wallet/step-form.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import { Gauge } from './gauge.tsx'
import { sharesIn } from './shares.ts'

/** The sale of shares while it goes on, and what is left to do after it failed. Nothing where it was over and done before one looked. */
export const SaleCard = ({ vault }: { vault: Vault }) => {
  const { sale, phase } = vault
  const wasSelling = useRef(phase === 'selling').current
  if (!sale || (phase !== 'selling' && phase !== 'failed' && !wasSelling)) return null
  return (
    <Card
      title={titles[phase]}
      aside={
        phase === 'selling' ? (
          <span className="note">
            ends <Until timeMs={sale.deadlineMs} over="now" />
          </span>
        ) : null
      }
    >
      <Progress sale={sale} />
      <div className="after">
        {phase === 'failed' ? (
          <Refund vault={vault} />
        ) : sale.state === 'over' ? (
          <CloseSale vault={vault} />
        ) : (
          <Buy vault={vault} sale={sale} />
        )}
      </div>
    </Card>
  )
}

const titles: Record<Vault['phase'], string> = {
  selling: 'Shares for sale',
  failed: 'The sale missed its goal',
  live: 'The sale has ended',
  'bought-out': 'The sale has ended',
}

const Progress = ({ sale }: { sale: VaultSale }) => {
  const [sold, cap, goal] = [BigInt(sale.sold), BigInt(sale.cap), BigInt(sale.goal)]
  return (
    <>
      <Gauge
        whole={cap}
        parts={[{ name: 'Sold', className: 'part-sold', amount: sold }]}
        mark={goal === 0n ? undefined : { at: goal, words: `goal ${formatCount(sale.goal)}` }}
      />
      <dl className="figures">
        <Figure name="Sold" note={`of ${formatCount(sale.cap)}`}>
          {countOf(Number(sale.sold), 'share')}
        </Figure>
        <Figure name="Price of a share">
          <Money minor={sale.priceMinor} />
        </Figure>
        <Figure name="Raised">
          <Money minor={String(sold * BigInt(sale.priceMinor))} />
        </Figure>
        <Figure name="Goal" note="missed, everybody gets his money back">
          {goal === 0n
            ? 'none'
            : sold >= goal
              ? 'reached'
              : `${formatCount(String(goal - sold))} to go`}
        </Figure>
      </dl>
    </>
  )
}

const Buy = ({ vault, sale }: { vault: Vault; sale: VaultSale }) => {
  const me = useSession()?.address
  const asset = useDeployment().data?.asset
  const [text, setText] = useState('')
  const left = BigInt(sale.cap) - BigInt(sale.sold)
  const shares = sharesIn(text, left, 'left')
  const step = useStep(
    async (wallets, say) => {
      if (typeof shares !== 'bigint') throw new Error(shares)
      const { buySharesOf } = await import('../../wallet/owning.ts')
      await buySharesOf(wallets, { vault, shares, priceMinor: BigInt(sale.priceMinor) }, say)
      setText('')
      return countOf(Number(shares), 'share')
    },
    (bought) => `${bought} bought. Shares do not move until the sale has ended.`,
  )
  if (vault.phase !== 'selling') return step.words
  if (me === undefined) return <p className="note">Sign in to buy shares.</p>
  return (
    <StepForm step={step}>
      <label className="field">
        <span>Shares to buy</span>
        <input
          inputMode="numeric"
          autoComplete="off"
          value={text}
          placeholder="1"
          onChange={({ target }) => setText(target.value)}
        />
      </label>
      {text === '' ? null : (
        <p className="note">
          {typeof shares === 'string'
            ? shares
            : `You pay ${formatExact(String(shares * BigInt(sale.priceMinor)), asset?.decimals ?? 6, 2)} ${asset?.symbol ?? ''}.`}
        </p>
      )}
      <button
        type="submit"
        className="button"
        disabled={typeof shares !== 'bigint' || step.isBlocked}
      >
        Buy shares
      </button>
    </StepForm>
  )
}

const CloseSale = ({ vault }: { vault: Vault }) => {
  const step = useStep(
    async (wallets) => {
      const { closeSaleOf } = await import('../../wallet/owning.ts')
      await closeSaleOf(wallets, vault.vault)
      return true
    },
    () => 'Closed.',
  )
  return (
    <div className="form">
      <p>
        Its time is over. Anybody can close it: with its goal reached the founder gets the proceeds
        and the owners the machine, else everybody gets back what he gave.
      </p>
      <button type="button" className="button" disabled={step.isBlocked} onClick={step.start}>
        Close the sale
      </button>
      {step.words}
    </div>
  )
}

const Refund = ({ vault }: { vault: Vault }) => {
  const me = useSession()?.address
  const step = useStep(
    async (wallets) => {
      const { refundSharesOf } = await import('../../wallet/owning.ts')
      await refundSharesOf(wallets, vault.vault)
      return true
    },
    () => 'Paid back to your account.',
  )
  return (
    <div className="form">
      <p>The machine went back to its founder. Whoever bought shares gets his money for them.</p>
      {me === undefined ? (
        <p className="note">Sign in to have yours paid back.</p>
      ) : (
        <button type="button" className="button" disabled={step.isBlocked} onClick={step.start}>
          Give back my shares
        </button>
      )}
      {step.words}
    </div>
  )
}
