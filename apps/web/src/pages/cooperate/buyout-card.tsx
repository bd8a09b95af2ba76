import type { BuyoutOffer, Holding, Vault } from '@liquefy/client'
import { durationWords } from '@liquefy/protocol'
import { useState } from 'react'
import { useDeployment } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { amountIn } from '../../ui/amount.ts'
import { countOf, formatCount, formatExact } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Card, Party, Until } from '../../ui/parts.tsx'
import { StepForm } from '../../wallet/step-form.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import { Gauge } from './gauge.tsx'
import { bpsPercent } from './percent.ts'
import { sharesIn } from './shares.ts'
import { usePortfolio } from './vault-queries.ts'
import { sameAccount } from './vault-words.ts'

/** Who holds enough may offer for the rest; what stands, and what one may answer. */
export const BuyoutCard = ({ vault }: { vault: Vault }) => {
  const me = useSession()?.address
  const holding = usePortfolio(me).data?.holdings.find((one) => sameAccount(one.vault, vault.vault))
  return (
    <Card title="Buy-out">
      {vault.phase === 'bought-out' ? (
        <Done vault={vault} holding={holding} />
      ) : vault.buyout && (vault.buyout.state === 'stands' || vault.buyout.state === 'ripe') ? (
        <Stands vault={vault} offer={vault.buyout} holding={holding} />
      ) : (
        <None vault={vault} holding={holding} />
      )}
    </Card>
  )
}

type Mine = { vault: Vault; holding: Holding | undefined }

const None = ({ vault, holding }: Mine) => {
  const rules = vault.buyoutRules
  if (!rules) {
    return (
      <p className="note">
        Nobody may offer for the shares of all others. Owners can vote that somebody may.
      </p>
    )
  }
  const needed = (BigInt(vault.supply) * BigInt(rules.minBps) + 9_999n) / 10_000n
  const has = BigInt(holding?.shares ?? 0)
  return (
    <>
      {vault.buyout?.state === 'refused' ? (
        <p className="note">
          The offer of <Party address={vault.buyout.offerer} />, at{' '}
          <Money minor={vault.buyout.priceMinor} /> a share, was refused.
        </p>
      ) : null}
      <p className="note">
        Who holds {bpsPercent(rules.minBps)} of the shares may offer for all others at one price.
        They have {durationWords(rules.delaySeconds)} to refuse it, with more than{' '}
        {bpsPercent(rules.refusalBps)} of their shares; else it can be completed.
      </p>
      {vault.phase === 'live' && holding && has >= needed ? (
        <Offer vault={vault} holding={holding} />
      ) : null}
      {vault.phase === 'live' && holding && has < needed ? (
        <p className="note">
          You hold {countOf(Number(has), 'share')}, and {String(needed)} are needed.
        </p>
      ) : null}
    </>
  )
}

const Offer = ({ vault, holding }: { vault: Vault; holding: Holding }) => {
  const asset = useDeployment().data?.asset
  const [text, setText] = useState('')
  const price = amountIn(text, asset?.decimals ?? 0)
  const others = BigInt(vault.supply) - BigInt(holding.shares)
  const money = (minor: bigint) =>
    `${formatExact(String(minor), asset?.decimals ?? 6, 2)} ${asset?.symbol ?? ''}`
  const step = useStep(
    async (wallets, say) => {
      if (typeof price !== 'bigint') throw new Error(price)
      const { offerBuyoutOf } = await import('../../wallet/owning.ts')
      const depositMinor = others * price
      await offerBuyoutOf(wallets, { vault, priceMinor: price, depositMinor }, say)
      setText('')
      return true
    },
    () => 'Offered and paid in. If they refuse it, you get it back.',
  )
  return (
    <StepForm step={step} className="form after">
      <label className="field">
        <span>Price of a share in {asset?.symbol}</span>
        <input
          inputMode="decimal"
          autoComplete="off"
          value={text}
          onChange={({ target }) => setText(target.value)}
        />
      </label>
      {text === '' ? null : (
        <p className="note">
          {typeof price === 'string'
            ? price
            : `For ${countOf(Number(others), 'share')} of the others you pay ${money(others * price)} now. Your own shares do not move while the offer stands.`}
        </p>
      )}
      <button
        type="submit"
        className="button button-quiet"
        disabled={typeof price !== 'bigint' || step.isBlocked}
      >
        Offer for all shares
      </button>
    </StepForm>
  )
}

const Stands = ({ vault, offer, holding }: Mine & { offer: BuyoutOffer }) => {
  const me = useSession()?.address
  const limit = BigInt(offer.refusalLimit)
  const refused = BigInt(offer.refused)
  return (
    <>
      <p>
        <Party address={offer.offerer} /> offers{' '}
        <strong>
          <Money minor={offer.priceMinor} />
        </strong>{' '}
        for each share of the others, and has paid <Money minor={offer.depositMinor} /> in.
      </p>
      <Gauge
        whole={limit + 1n > refused ? limit + 1n : refused}
        parts={[{ name: 'Refused', className: 'part-against', amount: refused }]}
      />
      <p className="note">
        Refused with {countOf(Number(refused), 'share')}; {formatCount(String(limit + 1n))} end it.
        {offer.state === 'stands' ? (
          <>
            {' '}
            The time to refuse it ends <Until timeMs={offer.refuseByMs} over="now" />.
          </>
        ) : (
          ' The time to refuse it is over.'
        )}
      </p>
      {me === undefined ? <p className="note">Sign in to answer.</p> : null}
      {me !== undefined && offer.state === 'ripe' ? <Complete vault={vault} /> : null}
      {holding && offer.state === 'stands' && !sameAccount(me, offer.offerer) ? (
        <Refuse vault={vault} holding={holding} />
      ) : null}
    </>
  )
}

const Refuse = ({ vault, holding }: { vault: Vault; holding: Holding }) => {
  const left = BigInt(holding.shares) - BigInt(holding.refused)
  const [text, setText] = useState(String(left))
  const shares = sharesIn(text, left, 'left to refuse with')
  const step = useStep(
    async (wallets) => {
      if (typeof shares !== 'bigint') throw new Error(shares)
      const { refuseBuyoutOf } = await import('../../wallet/owning.ts')
      await refuseBuyoutOf(wallets, { vault: vault.vault, shares })
      return true
    },
    () => 'Refused. These shares do not move while the offer stands.',
  )
  if (left <= 0n) return <p className="note">You have refused it with all your shares.</p>
  return (
    <StepForm step={step} className="form after">
      <label className="field">
        <span>Refuse with so many shares</span>
        <input
          inputMode="numeric"
          autoComplete="off"
          value={text}
          onChange={({ target }) => setText(target.value)}
        />
      </label>
      {typeof shares === 'string' ? <p className="note">{shares}</p> : null}
      <button
        type="submit"
        className="button button-quiet"
        disabled={typeof shares !== 'bigint' || step.isBlocked}
      >
        Refuse the offer
      </button>
    </StepForm>
  )
}

const Complete = ({ vault }: { vault: Vault }) => {
  const step = useStep(
    async (wallets, say) => {
      const { completeBuyoutOf } = await import('../../wallet/owning.ts')
      await completeBuyoutOf(wallets, vault, say)
      return true
    },
    () => 'Completed: each share of the others is paid when it is given in.',
  )
  return (
    <div className="form after">
      <button type="button" className="button" disabled={step.isBlocked} onClick={step.start}>
        Complete the buy-out
      </button>
      {step.words}
    </div>
  )
}

const Done = ({ vault, holding }: Mine) => {
  const step = useStep(
    async (wallets) => {
      const { redeemSharesOf } = await import('../../wallet/owning.ts')
      await redeemSharesOf(wallets, vault.vault)
      return true
    },
    () => 'Paid to your account.',
  )
  return (
    <>
      {vault.buyout ? (
        <p>
          <Party address={vault.buyout.offerer} /> has bought it all, at{' '}
          <Money minor={vault.buyout.priceMinor} /> a share.
        </p>
      ) : null}
      {holding?.redeemableMinor ? (
        <div className="form after">
          <p>
            Your {countOf(Number(holding.shares), 'share')} are worth{' '}
            <Money minor={holding.redeemableMinor} />. What they earned before stays yours beside
            it.
          </p>
          <button type="button" className="button" disabled={step.isBlocked} onClick={step.start}>
            Give in my shares
          </button>
        </div>
      ) : null}
      {step.words}
    </>
  )
}
