import type { MarketOrder } from '@liquefy/client'
import { parseDecimal } from '@liquefy/protocol'
import { useState } from 'react'
import { failureWords } from '../../failures/failure-words.ts'
import { useSession } from '../../session/use-session.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { TextField } from '../../ui/fields.tsx'
import { formatAmount } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { StepForm } from '../../wallet/step-form.tsx'
import { useStep } from '../../wallet/use-step.tsx'

/** What a buyer must look at, how much of it he takes, and the button that does it. */
export const FillDialog = ({ order, onClose }: { order: MarketOrder; onClose: () => void }) => {
  const me = useSession()?.address
  const isShare = order.kind === 'share'
  const [text, setText] = useState(formatAmount(order.remaining, order.decimals))
  const part = isShare ? partIn(text, order) : undefined
  const isSale = order.side === 'sale'
  const step = useStep(
    async (wallets, say) => {
      if (typeof part === 'string') throw new Error(part)
      const { fillOrder } = await import('../../wallet/trading.ts')
      return fillOrder(wallets, order, part, say)
    },
    (words) => words,
  )
  const priceMinor =
    typeof part === 'bigint'
      ? (BigInt(order.priceMinor) * part) / BigInt(order.amount)
      : BigInt(order.priceMinor)
  const isDone = step.outcome !== undefined
  return (
    <Dialog title={`${isSale ? 'Buy' : 'Sell'} ${order.title}`} onClose={onClose}>
      <ul className="order-look">
        {warningsOf(order).map((words) => (
          <li key={words}>{words}</li>
        ))}
      </ul>
      <StepForm step={step}>
        {isShare ? (
          <TextField
            label="How many"
            name="part"
            value={text}
            onChange={setText}
            told={{ problems: typeof part === 'string' ? { part } : {}, tried: true }}
          />
        ) : null}
        <p className="order-price">
          {isSale ? 'You pay' : 'You get'} <Money minor={String(priceMinor)} />
        </p>
        {me === undefined ? <p className="note">Sign in first: the button is at the top.</p> : null}
        <button
          type="submit"
          className="button"
          disabled={me === undefined || typeof part === 'string' || step.isBlocked || isDone}
        >
          {isSale ? 'Pay and take it' : 'Give it and be paid'}
        </button>
      </StepForm>
    </Dialog>
  )
}

/** Smallest units, or what is wrong with it. */
const partIn = (text: string, { decimals, remaining, partSize }: MarketOrder): bigint | string => {
  try {
    const part = parseDecimal(text.trim(), decimals)
    if (part <= 0n) return 'It must be more than nothing.'
    if (part > BigInt(remaining)) {
      return `Only ${formatAmount(remaining, decimals)} are left.`
    }
    const size = BigInt(partSize)
    return part % size === 0n
      ? part
      : `Take a multiple of ${formatAmount(partSize, decimals)}: only that has an exact share of the price.`
  } catch (error) {
    return failureWords(error)
  }
}

/** What goes with the good, what does not, and what could still change. */
const warningsOf = ({ kind, figures, side }: MarketOrder): string[] => {
  const always = 'What is signed is what is paid: nobody takes a fee.'
  if (side === 'offer') {
    return [
      'It must be yours: else the ledger refuses it.',
      'You give it away for good, at the price that was offered.',
      always,
    ]
  }
  if (kind === 'machine') {
    const { account, machines, payers, hours } = figures
    const [machine] = machines
    return [
      'You get its control: its state, its key, its account and its words. What it earned until now stays with whom it was paid to.',
      'Its open agreements go on, and pay the payees that stand in them: look at its page which they are.',
      ...(account && account.balanceMinor !== '0'
        ? [
            'The money in its account comes along, and the seller can take it out until the very sale. What he let others take of it, they still can.',
          ]
        : []),
      ...(hours && hours.words.length > 0
        ? [`Who holds hours of it keeps them when it is yours: ${hours.words.join('; ')}.`]
        : []),
      ...(machine && machine.state !== 'active' ? [`It is ${machine.state}.`] : []),
      ...(payers === 1
        ? ['One party alone has paid for it: it may be a friend of the seller.']
        : []),
      always,
    ]
  }
  if (kind === 'receivable') {
    return [
      'You get what is settled from now on. What was paid before is credited to the seller when you buy.',
      'It pays what is measured and what escrow holds: an agreement whose payer does not top it up pays no more.',
      always,
    ]
  }
  if (kind === 'share') {
    return [
      'Income until now stays with whoever held the shares then. A vault may ask who you are before it lets you hold its shares.',
      always,
    ]
  }
  return ['You get the hours that the right names, until it ends.', always]
}
