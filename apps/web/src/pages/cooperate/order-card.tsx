import type { MarketOrder } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { useDeployment } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { PaymentBars } from '../../ui/charts.tsx'
import { countOf, formatAge, formatAmount, formatExact } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { At, Figure, Party } from '../../ui/parts.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import { kinds } from './market-filter.ts'
import { ppmPercent } from './percent.ts'

const stateWords: Record<MarketOrder['state'], string> = {
  open: 'can be had',
  'not-begun': 'not yet',
  unfunded: 'cannot be had',
  filled: 'done',
  cancelled: 'cancelled',
  expired: 'over',
}

/** Something that is for sale or wanted, with what a buyer needs to know drawn and in figures. */
export const OrderCard = ({ order, onFill }: { order: MarketOrder; onFill: () => void }) => {
  const me = useSession()?.address
  const isMine = order.maker === me
  const isSale = order.side === 'sale'
  return (
    <article className="card order" aria-label={order.title}>
      <header className="order-head">
        <p className="order-kinds">
          <span className={`badge order-${order.side}`}>{isSale ? 'for sale' : 'wanted'}</span>
          <span className="note">{kinds[order.kind].one}</span>
          {order.state === 'open' ? null : (
            <span className="badge badge-decommissioned">{stateWords[order.state]}</span>
          )}
        </p>
        <h2>{order.title}</h2>
      </header>
      <p className="order-price">
        <Money minor={order.remainingMinor === '0' ? order.priceMinor : order.remainingMinor} />
        <Left order={order} />
      </p>
      <Income order={order} />
      <Figures order={order} />
      <Held order={order} />
      <p className="note order-maker">
        {isSale ? 'Sold by' : 'Offered by'} {isMine ? 'you' : <Party address={order.maker} />},
        until <At timeMs={order.endMs} />
      </p>
      {order.problem ? <p className="note">{order.problem}</p> : null}
      <div className="order-end">
        {isMine ? <Cancel order={order} /> : null}
        {!isMine && order.state === 'open' ? (
          <button type="button" className="button" onClick={onFill}>
            {isSale ? 'Buy' : 'Accept this price'}
            <span className="visually-hidden">{`: ${order.title}`}</span>
          </button>
        ) : null}
        <Links order={order} />
      </div>
    </article>
  )
}

const Left = ({ order: { kind, remaining, amount, decimals } }: { order: MarketOrder }) => {
  if (kind !== 'share' || remaining === amount || remaining === '0') return null
  const text = (units: string) => formatAmount(units, decimals)
  return (
    <span className="note">
      {' '}
      for the {text(remaining)} of {text(amount)} that are left
    </span>
  )
}

/** Twelve months as bars; nothing where nothing was earned. */
const Income = ({ order: { figures, kind } }: { order: MarketOrder }) => {
  const asset = useDeployment().data?.asset
  if (kind === 'right') return <p className="order-nothing">{figures.rightInWords}</p>
  if (figures.income.every(({ minor }) => minor === '0')) {
    return <p className="order-nothing note">Nothing was settled in the last twelve months.</p>
  }
  const [first, last] = [figures.income[0]?.month, figures.income.at(-1)?.month]
  const text = (minor: string) =>
    `${formatExact(minor, asset?.decimals ?? 0, 2)} ${asset?.symbol ?? ''}`
  return (
    <figure className="order-income">
      <PaymentBars
        payments={figures.income.map(({ month, minor }) => ({
          key: month,
          minor: BigInt(minor),
          label: `${month}: ${text(minor)}`,
        }))}
      />
      <figcaption className="note order-months">
        <span>{first}</span>
        <span>income by month</span>
        <span>{last}</span>
      </figcaption>
    </figure>
  )
}

const yearDays = 365

const Figures = ({ order: { figures, kind } }: { order: MarketOrder }) => {
  const { machines, yieldPpm, yearMinor, lookBackDays, payers, receivable, reserveMinor } = figures
  const [machine] = machines
  const isShort = lookBackDays < yearDays
  return (
    <dl className="figures order-figures">
      {kind === 'right' ? null : (
        <Figure
          name="Income"
          note={`${isShort ? `in ${countOf(lookBackDays, 'day')}` : 'in a year'}, from ${countOf(payers, 'payer')}`}
        >
          <Money minor={yearMinor} />
        </Figure>
      )}
      {yieldPpm === null ? null : (
        <Figure
          name="Yield a year"
          note={isShort ? 'extrapolated, costs not taken off' : 'costs not taken off'}
        >
          {ppmPercent(yieldPpm)}
        </Figure>
      )}
      {receivable ? (
        <>
          <Figure name="In escrow" note={receivable.open ? undefined : 'The agreement is closed.'}>
            <Money minor={receivable.escrowMinor} />
          </Figure>
          <Figure name="Not paid yet" note="the next settlement pays it to the buyer">
            <Money minor={receivable.unpaidMinor} />
          </Figure>
          {receivable.endsMs === null ? null : (
            <Figure name="Ends">{remaining(receivable.endsMs)}</Figure>
          )}
        </>
      ) : null}
      {machine && !receivable ? (
        <>
          <Figure name="Measured" note="of the hours of 30 days">
            {ppmPercent(machine.uptimePpm)}
          </Figure>
          <Figure name="Age" note={machine.state === 'active' ? undefined : machine.state}>
            {formatAge(Date.now() - machine.registeredMs)}
          </Figure>
        </>
      ) : null}
      {reserveMinor === null ? null : (
        <Figure name="Reserve">
          <Money minor={reserveMinor} />
        </Figure>
      )}
    </dl>
  )
}

/** Whoever buys the machine finds these hours taken. */
const Held = ({ order: { figures } }: { order: MarketOrder }) => {
  const { hours } = figures
  if (!hours || hours.words.length === 0) return null
  return (
    <div className="note order-held">
      <p>
        Usage rights hold {hours.heldHours} of {hours.ofHours} hours of the coming four weeks, and
        outlast a sale:
      </p>
      <ul>
        {hours.words.map((words) => (
          <li key={words}>{words}</li>
        ))}
      </ul>
    </div>
  )
}

const remaining = (endsMs: number): string =>
  endsMs > Date.now() ? `in ${formatAge(endsMs - Date.now())}` : 'it has ended'

const Links = ({ order: { figures, kind } }: { order: MarketOrder }) => {
  const { receivable, machines } = figures
  if (receivable) {
    return (
      <Link to="/agreements/$agreementId" params={{ agreementId: receivable.agreementId }}>
        The agreement
      </Link>
    )
  }
  const [machine] = machines
  if (!machine || machines.length > 1) return null
  return (
    <Link to="/machines/$machineId" params={{ machineId: machine.machineId }}>
      {kind === 'machine' ? 'The machine and its life' : 'The machine behind it'}
    </Link>
  )
}

const Cancel = ({ order }: { order: MarketOrder }) => {
  const step = useStep(
    async (wallets, say) => {
      const { cancelOrder } = await import('../../wallet/trading.ts')
      return cancelOrder(wallets, order, say)
    },
    (words) => words,
  )
  if (!['open', 'unfunded', 'not-begun'].includes(order.state)) return null
  return (
    <div className="form">
      <button
        type="button"
        className="button button-quiet"
        disabled={step.isBlocked}
        onClick={step.start}
      >
        Take it back
        <span className="visually-hidden">{`: ${order.title}`}</span>
      </button>
      {step.words}
    </div>
  )
}
