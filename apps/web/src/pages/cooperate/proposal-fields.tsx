import type { MarketOrder, Vault } from '@liquefy/client'
import { useDeployment } from '../../queries.ts'
import { Choice } from '../../ui/choice.tsx'
import { PickField, toldNothing } from '../../ui/fields.tsx'
import { Money } from '../../ui/money.tsx'
import { AccountField } from './account-field.tsx'
import { BuyoutFields } from './buyout-fields.tsx'
import { DurationField } from './duration-field.tsx'
import { GovernanceFields } from './governance-fields.tsx'
import { OfferField } from './offer-field.tsx'
import { PlainField } from './plain-field.tsx'
import type { ProposalDraft } from './proposal-draft.ts'
import { WaterfallFields } from './waterfall-fields.tsx'

/** What has to be said of one kind of proposal. */
export const ProposalFields = ({
  vault,
  offers,
  draft,
  onChange,
}: {
  vault: Vault
  /** Of the market, for what the vault holds. */
  offers: readonly MarketOrder[]
  draft: ProposalDraft
  onChange: (change: Partial<ProposalDraft>) => void
}) => {
  const symbol = useDeployment().data?.asset.symbol ?? ''
  const account = (label: string, hint?: string) => (
    <AccountField
      label={label}
      value={draft.account}
      onChange={(text) => onChange({ account: text })}
      {...(hint === undefined ? {} : { hint })}
    />
  )
  const machine = <MachineField vault={vault} draft={draft} onChange={onChange} />
  switch (draft.kind) {
    case 'spend':
      return (
        <>
          {account('Who gets it')}
          <PlainField
            label={`Amount in ${symbol}`}
            value={draft.amount}
            onChange={(amount) => onChange({ amount })}
          />
          <p className="note">
            The reserve has <Money minor={vault.reserveMinor} />: more than is in it then is not
            paid.
          </p>
          <PlainField
            label="What for"
            decimal={false}
            value={draft.purpose}
            onChange={(purpose) => onChange({ purpose })}
            hint="Stands on the ledger for ever."
          />
        </>
      )
    case 'waterfall':
      return (
        <WaterfallFields
          draft={draft.waterfall}
          onChange={(waterfall) => onChange({ waterfall })}
        />
      )
    case 'operator':
      return account(
        'Who shall run it',
        'Opens agreements that pay the vault, issues hours of use, and keeps the list of who may hold shares.',
      )
    case 'suspend':
      return (
        <>
          {machine}
          <PlainField
            label="Reason (may be empty)"
            decimal={false}
            value={draft.purpose}
            onChange={(purpose) => onChange({ purpose })}
            hint="Stands on the ledger for everybody to read. Nothing that it measures is paid meanwhile."
          />
        </>
      )
    case 'resume':
      return machine
    case 'revoke-key':
      return (
        <>
          {machine}
          <p className="note">For a key that was stolen. Nothing that it signs counts any more.</p>
        </>
      )
    case 'decommission':
      return (
        <>
          {machine}
          <p className="problem-words">
            For ever: nothing that it signs is paid again, and nobody can take that back.
          </p>
        </>
      )
    case 'transfer-machine':
      return (
        <>
          {machine}
          {account('Who gets it')}
          <p className="problem-words">
            The vault gets nothing for it by this call. Accept an offer or put it up for sale
            instead, or see that the money is there before the vote.
          </p>
        </>
      )
    case 'accept-offer':
      return (
        <OfferField
          offers={offers}
          value={draft.offerId}
          onChange={(offerId) => onChange({ offerId })}
        />
      )
    case 'sell-machine':
      return (
        <>
          {machine}
          <div className="field-row">
            <PlainField
              label={`Price in ${symbol}`}
              value={draft.amount}
              onChange={(amount) => onChange({ amount })}
            />
            <DurationField
              label="For sale for, from now"
              value={draft.goodFor}
              onChange={(goodFor) => onChange({ goodFor })}
            />
          </div>
          <p className="note">
            The price comes to the vault as income. Once the vote is done anybody can buy it;
            earlier sales of it end.
          </p>
        </>
      )
    case 'machine-policy':
      return (
        <>
          {machine}
          <div className="field-row">
            <PlainField
              label={`At once, at most, in ${symbol}`}
              value={draft.amount}
              onChange={(amount) => onChange({ amount })}
            />
            <PlainField
              label={`A day, at most, in ${symbol}`}
              value={draft.perDay}
              onChange={(perDay) => onChange({ perDay })}
            />
            <DurationField
              label="Good for"
              value={draft.goodFor}
              onChange={(goodFor) => onChange({ goodFor })}
            />
          </div>
          <PlainField
            label="To whom: names or addresses, with commas between"
            decimal={false}
            most={500}
            value={draft.counterparties}
            onChange={(counterparties) => onChange({ counterparties })}
          />
        </>
      )
    case 'machine-pause':
      return (
        <>
          {machine}
          <div className="field">
            <Choice
              label="Its key"
              options={[
                { words: 'Stops spending', value: 1 },
                { words: 'Goes on', value: 0 },
              ]}
              value={draft.paused ? 1 : 0}
              onChoose={(paused) => onChange({ paused: paused === 1 })}
            />
          </div>
        </>
      )
    case 'close-agreement':
      return (
        <PlainField
          label="Id of the agreement"
          decimal={false}
          value={draft.agreementId}
          onChange={(agreementId) => onChange({ agreementId })}
          hint="Its rest of escrow goes back to who pays."
        />
      )
    case 'compliance':
      return (
        <>
          <div className="field">
            <Choice
              label="Who may hold shares"
              options={[
                { words: 'Everybody', value: 'open' },
                { words: 'Whom the operator lists', value: 'allow-list' },
                { words: 'Another contract says', value: 'contract' },
              ]}
              value={draft.compliance}
              onChoose={(compliance) => onChange({ compliance })}
            />
          </div>
          {draft.compliance === 'contract'
            ? account(
                'Which contract',
                'One that answers canTransfer, such as a registry of ERC-3643.',
              )
            : null}
        </>
      )
    case 'buyout-rules':
      return <BuyoutFields draft={draft.buyout} onChange={(buyout) => onChange({ buyout })} />
    case 'governance':
      return (
        <GovernanceFields
          draft={draft.governance}
          onChange={(governance) => onChange({ governance })}
        />
      )
    case 'call':
      return (
        <>
          {account('Which contract')}
          <PlainField
            label="Bytes of the call"
            decimal={false}
            most={10_000}
            value={draft.data}
            onChange={(data) => onChange({ data })}
            hint="0x…, as a tool encodes it. The vault makes the call. Voters are warned of what nobody can decode."
          />
        </>
      )
  }
}

const MachineField = ({
  vault,
  draft,
  onChange,
}: {
  vault: Vault
  draft: ProposalDraft
  onChange: (change: Partial<ProposalDraft>) => void
}) => (
  <PickField
    label="Machine"
    name="machineId"
    value={draft.machineId}
    told={toldNothing}
    onChange={(machineId) => onChange({ machineId })}
  >
    {vault.machines
      .filter(({ held }) => held)
      .map(({ machineId, machineName }) => (
        <option key={machineId} value={machineId}>
          {machineName === machineId ? `machine ${machineId}` : machineName}
        </option>
      ))}
  </PickField>
)
