import {
  type Deployment,
  type Hex,
  type MachineSummary,
  USUAL_GOVERNANCE,
  type VaultSetup,
} from '@liquefy/client'
import { formatDecimal } from '@liquefy/protocol'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { type ReactNode, useEffect, useState } from 'react'
import { useDeployment, useMachines } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { amountIn } from '../../ui/amount.ts'
import { PickField, toldNothing } from '../../ui/fields.tsx'
import { Card } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import { accountIn, knownName } from './account.ts'
import { AccountField } from './account-field.tsx'
import { type BuyoutDraft, buyoutIn, usualBuyout } from './buyout-draft.ts'
import { BuyoutFields } from './buyout-fields.tsx'
import { type Duration, secondsIn } from './duration.ts'
import { DurationField } from './duration-field.tsx'
import { type GovernanceDraft, governanceDraft, governanceIn } from './governance-draft.ts'
import { GovernanceFields } from './governance-fields.tsx'
import { PlainField } from './plain-field.tsx'
import { NoVaults } from './vaults-page.tsx'
import { noWaterfall, type WaterfallDraft, waterfallIn } from './waterfall-draft.ts'
import { WaterfallFields } from './waterfall-fields.tsx'
import '../transact/offers.css'
import './vault.css'

const route = getRouteApi('/vaults/new')

/** Shares a machine of one's own: shares, their sale, how income is split, how owners decide. */
export const NewVaultPage = (): ReactNode => {
  const { machine } = route.useSearch()
  const me = useSession()?.address
  const deployment = useDeployment()
  const machines = useMachines()
  return (
    <>
      <section className="head">
        <p className="crumb">
          <Link to="/vaults">Shared ownership</Link> / new
        </p>
        <h1>Share a machine</h1>
        <p className="lead">
          A vault takes the machine, and shares of the vault are its owners’. What the machine earns
          is split by rule, and what happens to it is decided by vote.
        </p>
      </section>
      <Loaded query={deployment} what="the ledger">
        {(ledger) =>
          ledger.cooperation === null ? (
            <NoVaults />
          ) : me === undefined ? (
            <Empty title="Sign in first">
              Only its owner can share a machine: the button stands at the top.
            </Empty>
          ) : (
            <Loaded query={machines} what="your machines">
              {(list) => {
                const mine = list.filter(({ owner }) => owner.toLowerCase() === me)
                return mine.length === 0 ? (
                  <Empty title="No machine is yours">
                    <Link to="/machines/new">Add one</Link>, or sign in as who owns one.
                  </Empty>
                ) : (
                  <Form key={me} me={me} deployment={ledger} mine={mine} first={machine} />
                )
              }}
            </Loaded>
          )
        }
      </Loaded>
    </>
  )
}

interface Draft {
  machineIds: string[]
  name: string
  symbol: string
  operator: string
  founderShares: string
  isSale: boolean
  cap: string
  price: string
  goal: string
  saleTime: Duration
  compliance: 'open' | 'allow-list'
  waterfall: WaterfallDraft
  buyout: BuyoutDraft
  governance: GovernanceDraft
}

const Form = ({
  me,
  deployment,
  mine,
  first,
}: {
  me: Hex
  deployment: Deployment
  mine: MachineSummary[]
  first: string | undefined
}) => {
  const chosen = mine.find(({ machineId }) => machineId === first) ?? mine[0]
  const [draft, setDraft] = useState<Draft>(() => ({
    machineIds: chosen ? [chosen.machineId] : [],
    name: chosen && chosen.name !== chosen.machineId ? chosen.name : '',
    symbol: '',
    operator: knownName(deployment, me),
    founderShares: '0',
    isSale: true,
    cap: '100',
    price: '',
    goal: '50',
    saleTime: { count: '30', unit: 'days' },
    compliance: 'open',
    waterfall: noWaterfall,
    buyout: usualBuyout,
    governance: governanceDraft(USUAL_GOVERNANCE),
  }))
  const [tried, setTried] = useState(false)
  const navigate = useNavigate()
  const setup = setupOf(draft, deployment, Date.now())
  const governance = governanceIn(draft.governance)
  const problem =
    typeof setup === 'string' ? setup : typeof governance === 'string' ? governance : undefined
  const step = useStep(
    async (wallets, say) => {
      if (typeof setup === 'string' || typeof governance === 'string') throw new Error(problem)
      const { shareMachines } = await import('../../wallet/owning.ts')
      return shareMachines(wallets, { setup, governance }, say)
    },
    () => 'The vault is made.',
  )
  const vault = step.outcome
  useEffect(() => {
    if (vault !== undefined) void navigate({ to: '/vaults/$vault', params: { vault } })
  }, [vault, navigate])
  const change = (changed: Partial<Draft>) => setDraft((before) => ({ ...before, ...changed }))
  const { symbol } = deployment.asset
  return (
    <form
      className="vault-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        setTried(true)
        if (problem === undefined) step.start()
      }}
    >
      <Card title="Which machine">
        <fieldset className="vault-machines">
          <legend className="visually-hidden">Machines of the vault</legend>
          {mine.map(({ machineId, name }) => (
            <label key={machineId} className="check">
              <input
                type="checkbox"
                checked={draft.machineIds.includes(machineId)}
                onChange={({ target }) =>
                  change({
                    machineIds: target.checked
                      ? [...draft.machineIds, machineId]
                      : draft.machineIds.filter((one) => one !== machineId),
                  })
                }
              />
              {name === machineId ? `machine ${machineId}` : name}
            </label>
          ))}
        </fieldset>
        <div className="field-row">
          <PlainField
            label="Name"
            decimal={false}
            most={60}
            value={draft.name}
            onChange={(name) => change({ name })}
          />
          <PlainField
            label="Symbol of its shares"
            decimal={false}
            most={11}
            value={draft.symbol}
            onChange={(text) => change({ symbol: text.toUpperCase() })}
            hint="A few letters, such as BOAT."
          />
        </div>
        <AccountField
          label="Who runs it day by day"
          value={draft.operator}
          onChange={(operator) => change({ operator })}
          hint="Opens agreements that pay the vault. Owners can vote for somebody else."
        />
      </Card>
      <Card title="Shares">
        <PlainField
          label="Shares that you keep"
          value={draft.founderShares}
          onChange={(founderShares) => change({ founderShares })}
        />
        <label className="check">
          <input
            type="checkbox"
            checked={draft.isSale}
            onChange={({ target }) => change({ isSale: target.checked })}
          />
          Sell shares at a fixed price
        </label>
        {draft.isSale ? (
          <>
            <div className="field-row">
              <PlainField
                label="Shares for sale"
                value={draft.cap}
                onChange={(cap) => change({ cap })}
              />
              <PlainField
                label={`Price of a share in ${symbol}`}
                value={draft.price}
                onChange={(price) => change({ price })}
              />
            </div>
            <div className="field-row">
              <PlainField
                label="Goal, in shares"
                value={draft.goal}
                onChange={(goal) => change({ goal })}
                hint="If fewer are sold in time, everybody gets his money back, and you the machine."
              />
              <DurationField
                label="Time to buy"
                value={draft.saleTime}
                onChange={(saleTime) => change({ saleTime })}
              />
            </div>
          </>
        ) : null}
        <PickField
          label="Who may hold shares"
          name="compliance"
          value={draft.compliance}
          told={toldNothing}
          onChange={(compliance) => change({ compliance: compliance as Draft['compliance'] })}
        >
          <option value="open">everybody</option>
          <option value="allow-list">only whom the operator lists</option>
        </PickField>
        <p className="note">
          A share in a machine is usually a security: find out what the law asks before you sell to
          everybody.
        </p>
      </Card>
      <Card title="How income is split">
        <WaterfallFields draft={draft.waterfall} onChange={(waterfall) => change({ waterfall })} />
      </Card>
      <Card title="How owners decide">
        <GovernanceFields
          draft={draft.governance}
          onChange={(changed) => change({ governance: changed })}
        />
      </Card>
      <Card title="Buy-out">
        <BuyoutFields draft={draft.buyout} onChange={(buyout) => change({ buyout })} />
      </Card>
      <Card>
        <Summary setup={setup} symbol={symbol} decimals={deployment.asset.decimals} />
        {tried && problem !== undefined ? (
          <p className="problem-words" role="alert">
            Not made yet. {problem}
          </p>
        ) : null}
        <div>
          <button type="submit" className="button" disabled={step.isBlocked}>
            Make the vault
          </button>
        </div>
        {step.words}
      </Card>
    </form>
  )
}

/** What is about to be signed, in a sentence. */
const Summary = ({
  setup,
  symbol,
  decimals,
}: {
  setup: VaultSetup | string
  symbol: string
  decimals: number
}) => {
  if (typeof setup === 'string') return null
  const { sale, founderShares } = setup
  const money = (minor: bigint) => `${formatDecimal(minor, decimals, { trim: true })} ${symbol}`
  return (
    <p>
      {sale
        ? `${sale.cap} shares are sold at ${money(sale.priceMinor)} each: ${money(sale.cap * sale.priceMinor)} in all, ${money(sale.goal * sale.priceMinor)} at least. You keep ${founderShares}.`
        : `Nothing is sold: all ${founderShares} shares are yours, to give or sell.`}{' '}
      From then on the machine is the vault’s, and only its owners together can move it.
    </p>
  )
}

const whole = (text: string): bigint | undefined =>
  /^\d{1,20}$/.test(text.trim()) ? BigInt(text.trim()) : undefined

/** What the vault would begin with, or what is wrong with the form. */
const setupOf = (draft: Draft, deployment: Deployment, nowMs: number): VaultSetup | string => {
  const { asset } = deployment
  const operator = accountIn(draft.operator, deployment)
  const founderShares = whole(draft.founderShares)
  const sale = draft.isSale ? saleOf(draft, asset.decimals, nowMs) : undefined
  const waterfall = waterfallIn(draft.waterfall, deployment)
  const buyout = buyoutIn(draft.buyout)
  if (draft.machineIds.length === 0) return 'Choose a machine.'
  if (draft.name.trim() === '') return 'Give it a name.'
  if (!/^[A-Z0-9-]{1,11}$/.test(draft.symbol))
    return 'Give its shares a symbol: letters and digits.'
  if (operator === undefined) return 'Say who runs it.'
  if (founderShares === undefined) return 'Shares that you keep: a whole number, 0 for none.'
  if (typeof sale === 'string') return sale
  if (founderShares === 0n && !draft.isSale) return 'Nobody would own a share: keep or sell some.'
  if (typeof waterfall === 'string') return waterfall
  if (typeof buyout === 'string') return buyout
  const lists = deployment.cooperation?.allowLists
  return {
    name: draft.name.trim(),
    symbol: draft.symbol,
    asset: asset.address,
    operator,
    machineIds: draft.machineIds.map(BigInt),
    founderShares,
    waterfall,
    ...(draft.compliance === 'allow-list' && lists ? { compliance: lists } : {}),
    ...(sale ? { sale } : {}),
    ...(buyout ? { buyout } : {}),
  }
}

const saleOf = (draft: Draft, decimals: number, nowMs: number): VaultSetup['sale'] | string => {
  const [cap, goal] = [whole(draft.cap), whole(draft.goal)]
  const priceMinor = amountIn(draft.price, decimals)
  const seconds = secondsIn(draft.saleTime)
  if (!cap) return 'Shares for sale: a whole number, one at least.'
  if (typeof priceMinor === 'string') return `Price of a share: ${priceMinor}`
  if (goal === undefined || goal > cap)
    return 'Goal: a whole number, not above the shares for sale.'
  if (typeof seconds === 'string') return `Time to buy: ${seconds}`
  return { priceMinor, cap, goal, deadline: BigInt(Math.floor(nowMs / 1000) + seconds) }
}
