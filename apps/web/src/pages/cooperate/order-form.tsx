import type { GoodKind, Hex, OrderSide } from '@liquefy/client'
import { parseDecimal } from '@liquefy/protocol'
import { useState } from 'react'
import { failureWords } from '../../failures/failure-words.ts'
import { useAgreements, useDeployment, useMachines } from '../../queries.ts'
import { Choice } from '../../ui/choice.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { PickField, TextField, type Told } from '../../ui/fields.tsx'
import { nameOf, shorten } from '../../ui/format.ts'
import { useStep } from '../../wallet/use-step.tsx'
import { kinds } from './market-filter.ts'

const mostDays = 366

interface Draft {
  side: OrderSide
  kind: GoodKind
  of: string
  amount: string
  price: string
  days: string
}

/** Puts something up for sale, or offers a price for something of others. */
export const OrderForm = ({ me, onClose }: { me: Hex; onClose: () => void }) => {
  const asset = useDeployment().data?.asset
  const [draft, setDraft] = useState<Draft>({
    side: 'sale',
    kind: 'machine',
    of: '',
    amount: '',
    price: '',
    days: '30',
  })
  const [tried, setTried] = useState(false)
  const problems = problemsOf(draft, asset?.decimals ?? 0)
  const told = { problems, tried }
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part })
  const isWrong = Object.keys(problems).length > 0
  const step = useStep(
    async (wallets, say) => {
      const { postOrder } = await import('../../wallet/trading.ts')
      const priceMinor = parseDecimal(draft.price.trim(), asset?.decimals ?? 0)
      return postOrder(wallets, { ...draft, priceMinor, days: Number(draft.days) }, say)
    },
    (words) => words,
  )
  return (
    <Dialog title="Sell, or offer a price" onClose={onClose}>
      <form
        className="form form-wide"
        onSubmit={(event) => {
          event.preventDefault()
          setTried(true)
          if (!isWrong) step.start()
        }}
      >
        <Choice
          label="What to do"
          options={[
            { words: 'Sell something of mine', value: 'sale' },
            { words: 'Offer a price', value: 'offer' },
          ]}
          value={draft.side}
          onChoose={(side) => change({ side, of: '' })}
        />
        <Choice
          label="Kind"
          options={Object.entries(kinds).map(([value, { one }]) => ({
            words: one,
            value: value as GoodKind,
          }))}
          value={draft.kind}
          onChoose={(kind) => change({ kind, of: '' })}
        />
        <GoodField me={me} draft={draft} told={told} onChange={change} />
        <TextField
          label={`Price in ${asset?.symbol ?? ''}, for all of it`}
          name="price"
          value={draft.price}
          placeholder="2500.00"
          onChange={(price) => change({ price })}
          told={told}
        />
        <TextField
          label="Days that it stands"
          name="days"
          value={draft.days}
          onChange={(days) => change({ days })}
          told={told}
        />
        <p className="note">
          The order is signed, not sent: it costs nothing until somebody fills it. Taking it back
          costs gas.
        </p>
        {tried && isWrong ? (
          <p role="alert" className="problem-words">
            Not signed yet: {Object.values(problems)[0]}
          </p>
        ) : null}
        <button
          type="submit"
          className="button"
          disabled={step.isBlocked || step.outcome !== undefined}
        >
          {draft.side === 'sale' ? 'Sign and put up for sale' : 'Sign and offer'}
        </button>
        {step.words}
      </form>
    </Dialog>
  )
}

interface GoodFieldProps {
  me: Hex
  draft: Draft
  told: Told
  onChange: (change: Partial<Draft>) => void
}

const GoodField = ({ me, draft, told, onChange }: GoodFieldProps) => {
  const { kind, of, side } = draft
  const field = { name: 'of', value: of, told, onChange: (next: string) => onChange({ of: next }) }
  const isMine = (owner: string) => (owner.toLowerCase() === me) === (side === 'sale')
  const machines = useMachines().data ?? []
  const agreements = useAgreements().data ?? []
  const deployment = useDeployment().data
  if (kind === 'machine') {
    return (
      <PickField label="Machine" {...field}>
        <option value="">Choose…</option>
        {machines
          .filter(({ owner, state }) => isMine(owner) && state !== 'decommissioned')
          .map(({ machineId, name }) => (
            <option key={machineId} value={machineId}>
              {name === machineId ? `Machine ${machineId}` : name}
            </option>
          ))}
      </PickField>
    )
  }
  if (kind === 'receivable') {
    return (
      <PickField label="What this agreement will pay" {...field}>
        <option value="">Choose…</option>
        {agreements
          .filter(({ position, open }) => isMine(position.owner) && open)
          .map(({ agreementId, machineName, payer }) => (
            <option key={agreementId} value={agreementId}>
              {machineName}, paid by {nameOf(deployment, payer)} ({shorten(agreementId)})
            </option>
          ))}
      </PickField>
    )
  }
  if (kind === 'right') return <TextField label="Id of the usage right" {...field} />
  return (
    <>
      <TextField label="Address of the vault" decimal={false} placeholder="0x…" {...field} />
      <TextField
        label="How many shares"
        name="amount"
        value={draft.amount}
        onChange={(amount) => onChange({ amount })}
        told={told}
      />
    </>
  )
}

/** What is wrong with a draft, by field. */
const problemsOf = (draft: Draft, decimals: number): Record<string, string> => {
  const { kind, of, amount, price, days } = draft
  const problems: Record<string, string> = {}
  if (of === '') problems.of = 'Choose what it is about.'
  else if (kind === 'right' && !/^\d{1,30}$/.test(of)) problems.of = 'It is a whole number.'
  else if (kind === 'share' && !/^0x[0-9a-fA-F]{40}$/.test(of)) {
    problems.of = 'It is 0x and 40 hex digits.'
  }
  if (kind === 'share' && !(Number(amount) > 0)) problems.amount = 'Say how many.'
  const wrongPrice = priceProblem(price, decimals)
  if (wrongPrice) problems.price = wrongPrice
  if (!/^\d{1,3}$/.test(days) || Number(days) < 1 || Number(days) > mostDays) {
    problems.days = `From 1 to ${mostDays} days.`
  }
  return problems
}

const priceProblem = (price: string, decimals: number): string | undefined => {
  try {
    if (price.trim() === '') return 'Say for what price.'
    return parseDecimal(price.trim(), decimals) > 0n ? undefined : 'It must be more than nothing.'
  } catch (error) {
    return failureWords(error)
  }
}
