import type { Vault } from '@liquefy/client'
import { useSession } from '../../session/use-session.ts'
import { Money } from '../../ui/money.tsx'
import { Card, Party } from '../../ui/parts.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import { Gauge } from './gauge.tsx'
import { bpsPercent } from './percent.ts'

/** In what order income is used, how far that is, and what waits to go through it. */
export const WaterfallCard = ({ vault }: { vault: Vault }) => (
  <Card title="How income is split">
    <ol className="flow">
      <Reserve vault={vault} />
      <Lender vault={vault} />
      <Fees vault={vault} />
      <li>
        <Step number={4} />
        <strong>Owners</strong>
        <p className="note">All that is left, by shares.</p>
      </li>
    </ol>
    <Collect vault={vault} />
  </Card>
)

const Step = ({ number }: { number: number }) => (
  <span className="step-number" aria-hidden="true">
    {number}
  </span>
)

const Reserve = ({ vault: { reserveMinor, waterfall } }: { vault: Vault }) => {
  const [have, target] = [BigInt(reserveMinor), BigInt(waterfall.reserveTargetMinor)]
  return (
    <li>
      <Step number={1} />
      <strong>
        Reserve: <Money minor={reserveMinor} />
      </strong>
      <p className="note">
        {target === 0n ? (
          'No target: nothing is put aside.'
        ) : (
          <>
            filled up to <Money minor={waterfall.reserveTargetMinor} /> first
            {have >= target ? ': it is full' : ''}
          </>
        )}
      </p>
      {target === 0n ? null : (
        <Gauge
          whole={have > target ? have : target}
          parts={[{ name: 'Reserve', className: 'part-reserve', amount: have }]}
        />
      )}
    </li>
  )
}

const Lender = ({ vault: { waterfall } }: { vault: Vault }) => (
  <li>
    <Step number={2} />
    <strong>
      Lender
      {waterfall.lender === null ? (
        ': none'
      ) : (
        <>
          : <Party address={waterfall.lender} />
        </>
      )}
    </strong>
    {waterfall.lender === null ? null : (
      <p className="note">
        {waterfall.outstandingMinor === '0' ? (
          'repaid in full'
        ) : (
          <>
            <Money minor={waterfall.outstandingMinor} /> still to be repaid
          </>
        )}
      </p>
    )}
  </li>
)

const Fees = ({ vault: { waterfall } }: { vault: Vault }) => (
  <li>
    <Step number={3} />
    <strong>Fees{waterfall.fees.length === 0 ? ': none' : ''}</strong>
    {waterfall.fees.map(({ to, bps }) => (
      <p className="note" key={to}>
        {bpsPercent(bps)} of what is left to <Party address={to} />
      </p>
    ))}
  </li>
)

/** Brings in what the vault's agreements have earned. For everybody. */
const Collect = ({ vault }: { vault: Vault }) => {
  const me = useSession()?.address
  const waiting = BigInt(vault.collectable.minor) + BigInt(vault.undistributedMinor)
  const step = useStep(
    async (wallets) => {
      const { collectIncomeOf } = await import('../../wallet/owning.ts')
      await collectIncomeOf(wallets, vault)
      return true
    },
    () => 'Collected and split. Every owner may claim his part.',
  )
  return (
    <div className="form after">
      <p>
        <Money minor={String(waiting)} /> {waiting === 0n ? 'waits' : 'wait'} to be collected.
        {vault.phase === 'selling' ? ' It is split once the sale has ended.' : ''}
      </p>
      {vault.phase === 'selling' ? null : me === undefined ? (
        <p className="note">Sign in to collect it for all owners.</p>
      ) : (
        <button
          type="button"
          className="button button-quiet"
          disabled={step.isBlocked || waiting === 0n}
          onClick={step.start}
        >
          Collect for all owners
        </button>
      )}
      {step.words}
    </div>
  )
}
