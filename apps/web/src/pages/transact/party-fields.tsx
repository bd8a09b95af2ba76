import type { Hex, MachineSummary } from '@liquefy/client'
import { useState } from 'react'
import { useDeployment, useMachines } from '../../queries.ts'
import { Choice } from '../../ui/choice.tsx'
import { PickField, TextField, type Told } from '../../ui/fields.tsx'
import { nameOf } from '../../ui/format.ts'
import { emptyMeter, type OfferDraft } from './offer-draft.ts'

/** Which machine, with whom, and who pays. */
export const PartyFields = ({
  me,
  draft,
  onChange,
  told,
  isAnswer,
}: {
  me: Hex
  draft: OfferDraft
  onChange: (draft: OfferDraft) => void
  told: Told
  /** A counter-offer goes to who made the offer. */
  isAnswer: boolean
}) => {
  const deployment = useDeployment().data
  const machines = useMachines().data ?? []
  const owner = ownerOf(machines, draft.offer.machineId)
  const isMine = owner === undefined || owner === me
  const mine = machines.filter((machine) => machine.owner.toLowerCase() === me)
  const others = machines.filter((machine) => machine.owner.toLowerCase() !== me)
  const choose = (machineId: string) => {
    const newOwner = ownerOf(machines, machineId)
    const offer = { ...draft.offer, machineId, meter: draft.offer.meter && emptyMeter }
    // Whoever owns the machine has to be the other party, if it is not oneself.
    if (newOwner === undefined || newOwner === me) onChange({ ...draft, offer, role: 'payee' })
    else onChange({ ...draft, offer, role: 'payer', other: newOwner })
  }
  return (
    <>
      <PickField
        label="Machine"
        name="machineId"
        value={draft.offer.machineId}
        onChange={choose}
        told={told}
        hint={
          machines.length === 0
            ? 'No machine is known yet: add one first.'
            : 'Its owner is one of the two parties.'
        }
      >
        <option value="">Choose a machine…</option>
        {mine.length > 0 ? <MachineOptions label="Mine" machines={mine} /> : null}
        {others.length > 0 ? <MachineOptions label="Of others" machines={others} /> : null}
      </PickField>
      {isMine && !isAnswer ? (
        <OtherParty me={me} draft={draft} onChange={onChange} told={told} />
      ) : (
        <p>
          The other party is <strong>{nameOf(deployment, draft.other)}</strong>
          {isAnswer ? '.' : ', who owns this machine.'}
        </p>
      )}
      <div className="field">
        <span>Who pays</span>
        <Choice
          label="Who pays"
          options={[
            { words: 'I am paid', value: 'payee' },
            { words: 'I pay', value: 'payer' },
          ]}
          value={draft.role}
          onChoose={(role) => onChange({ ...draft, role })}
        />
      </div>
    </>
  )
}

const ownerOf = (machines: MachineSummary[], machineId: string): Hex | undefined =>
  machines.find((machine) => machine.machineId === machineId)?.owner.toLowerCase() as
    | Hex
    | undefined

const MachineOptions = ({ label, machines }: { label: string; machines: MachineSummary[] }) => (
  <optgroup label={label}>
    {machines.map(({ machineId, name }) => (
      <option key={machineId} value={machineId}>
        {name === machineId ? `machine ${machineId}` : name}
      </option>
    ))}
  </optgroup>
)

const byAddress = 'address'

const OtherParty = ({
  me,
  draft,
  onChange,
  told,
}: {
  me: Hex
  draft: OfferDraft
  onChange: (draft: OfferDraft) => void
  told: Told
}) => {
  const people = (useDeployment().data?.people ?? []).filter(
    ({ address }) => address.toLowerCase() !== me,
  )
  const isPerson = people.some(({ address }) => address.toLowerCase() === draft.other.toLowerCase())
  const [writes, setWrites] = useState(people.length === 0 || (draft.other !== '' && !isPerson))
  const choose = (other: string) => {
    setWrites(other === byAddress)
    onChange({ ...draft, other: other === byAddress ? '' : other })
  }
  return (
    <>
      {people.length > 0 ? (
        <PickField
          label="The other party"
          name={writes ? '' : 'other'}
          value={writes ? byAddress : draft.other.toLowerCase()}
          onChange={choose}
          told={told}
        >
          <option value="">Choose somebody…</option>
          {people.map(({ name, address }) => (
            <option key={address} value={address.toLowerCase()}>
              {name}
            </option>
          ))}
          <option value={byAddress}>Somebody else, by address</option>
        </PickField>
      ) : null}
      {writes ? (
        <TextField
          label="Address of the other party"
          name="other"
          value={draft.other}
          placeholder="0x…"
          decimal={false}
          onChange={(other) => onChange({ ...draft, other })}
          told={told}
        />
      ) : null}
    </>
  )
}
