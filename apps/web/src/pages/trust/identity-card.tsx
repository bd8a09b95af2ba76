import type { Machine, MachineAccount, MachineLife } from '@liquefy/client'
import { useAccount, useLife } from '../../queries.ts'
import { countOf } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { At, Card, Hash, Party } from '../../ui/parts.tsx'
import { Loaded } from '../../ui/states.tsx'
import { Owner, ShareIt } from '../cooperate/shared-owner.tsx'
import './identity.css'

/** Who a machine is and who vouches for it: maker, DID and account, parts, whether its evidence is whole. */
export const IdentityCard = ({ machine }: { machine: Machine }) => {
  const { machineId } = machine
  const life = useLife(machineId)
  return (
    <Card
      title="Who it is"
      aside={
        <span className="note">
          <a href={`/v1/machines/${machineId}/thing-description`}>Thing Description</a>,{' '}
          <a href={`/v1/machines/${machineId}/aas`}>Asset Administration Shell</a>
        </span>
      }
    >
      <Loaded query={life} what="its history">
        {(loaded) => (
          <dl className="identity">
            <Ownership machine={machine} />
            <Maker credential={loaded.credential} />
            {machine.did === null ? null : <Did did={machine.did} />}
            {machine.account === null ? null : <Account machineId={machineId} />}
            <Evidence life={loaded} />
            <Sensors replacements={loaded.replacements} />
            <Records records={loaded.records} />
          </dl>
        )}
      </Loaded>
    </Card>
  )
}

const Ownership = ({ machine: { machineId, owner } }: { machine: Machine }) => (
  <div>
    <dt>Owner</dt>
    <dd>
      <Owner machineId={machineId} owner={owner} />
    </dd>
    <ShareIt machineId={machineId} owner={owner} />
  </div>
)

const Maker = ({ credential }: Pick<MachineLife, 'credential'>) => (
  <div>
    <dt>Maker</dt>
    {credential === null ? (
      <dd className="note">Nobody whom the operator trusts has said who made it.</dd>
    ) : (
      <>
        <dd>
          {credential.manufacturer} {credential.model}, serial number {credential.serial}{' '}
          <span
            className={
              credential.state === 'valid' ? 'badge badge-active' : 'badge badge-decommissioned'
            }
          >
            {credential.state === 'valid' ? 'vouched for' : 'not good at present'}
          </span>
        </dd>
        <dd className="note">
          Says {credential.issuerName ?? credential.issuer}. {credential.words}
        </dd>
      </>
    )}
  </div>
)

const Did = ({ did }: { did: string }) => (
  <div>
    <dt>DID</dt>
    <dd>
      <code className="whole">{did}</code>
    </dd>
  </div>
)

const Account = ({ machineId }: { machineId: string }) => {
  const account = useAccount(machineId)
  return (
    <div>
      <dt>Its own account</dt>
      <dd>
        <Loaded query={account} what="its account">
          {(loaded) => (
            <>
              <Money minor={loaded.balanceMinor} />
              {loaded.created ? null : ', not created on the ledger yet'}
              <span className="note">
                <Spending account={loaded} />
              </span>
              <Dealing account={loaded} />
            </>
          )}
        </Loaded>
      </dd>
    </div>
  )
}

const Spending = ({
  account: { policy, paused, spentTodayMinor },
}: {
  account: MachineAccount
}) => {
  if (policy === null) return 'Its owner lets its key spend nothing.'
  const { perPaymentMinor, perDayMinor, expiryMs, counterparties } = policy
  return (
    <>
      {paused ? 'Paused by its owner. ' : ''}Its key may pay <Money minor={perPaymentMinor} /> at
      once and <Money minor={perDayMinor} /> a day, to{' '}
      {counterparties.map((counterparty, index) => (
        <span key={counterparty}>
          {index === 0 ? '' : ', '}
          <Party address={counterparty} />
        </span>
      ))}
      , until <At timeMs={expiryMs} />. <Money minor={spentTodayMinor} /> of today is spent.
    </>
  )
}

/** What it may agree to as the one who is paid, and what waits for it at the clearing house. */
const Dealing = ({ account: { sellsUntilMs, atHouseMinor } }: { account: MachineAccount }) => (
  <>
    {sellsUntilMs === null ? null : (
      <span className="note">
        Its key may accept agreements that pay the machine itself, until{' '}
        <At timeMs={sellsUntilMs} />.
      </span>
    )}
    {atHouseMinor === '0' ? null : (
      <span className="note">
        <Money minor={atHouseMinor} /> wait for it at the clearing house: liquefy machine reclaim.
      </span>
    )}
  </>
)

const Evidence = ({
  life: { evidenceComplete, streams, keyIsOlderThanOwner },
}: {
  life: MachineLife
}) => {
  const flaws = streams.filter(
    ({ missing, erased, equivocations }) => missing !== '0' || erased > 0 || equivocations > 0,
  )
  return (
    <div>
      <dt>Evidence</dt>
      <dd>{evidenceComplete ? 'No number of any stream is missing.' : 'Not complete.'}</dd>
      {flaws.map(({ stream, missing, erased, equivocations }) => (
        <dd key={stream} className="note">
          {stream}: {missing} missing, {countOf(equivocations, 'number')} signed twice, {erased}{' '}
          erased
        </dd>
      ))}
      {keyIsOlderThanOwner ? (
        <dd className="note">
          Its key is older than its owner: who owned it before may have kept a copy. Revoke it and
          give it a new one.
        </dd>
      ) : null}
    </div>
  )
}

const shownParts = 3

const Sensors = ({ replacements }: Pick<MachineLife, 'replacements'>) =>
  replacements.length === 0 ? null : (
    <div>
      <dt>Sensors replaced</dt>
      {replacements
        .slice(-shownParts)
        .reverse()
        .map(({ stream, atMs, oldPart, newPart, last, first, logIndex }) => (
          <dd key={logIndex}>
            {stream}: {oldPart ?? 'a sensor'} by {newPart ?? 'another'}, <At timeMs={atMs} />
            {last === null ? null : (
              <span className="note">
                {' '}
                at {last}, which is {first} on the new one
              </span>
            )}
          </dd>
        ))}
      {replacements.length > shownParts ? (
        <dd className="note">{replacements.length - shownParts} before them</dd>
      ) : null}
    </div>
  )

const Records = ({ records }: Pick<MachineLife, 'records'>) =>
  records.length === 0 ? null : (
    <div>
      <dt>Signed by makers of parts</dt>
      {records.map(({ recordId, kind, subject, issuer }) => (
        <dd key={recordId}>
          {kind === 'design' ? 'Design' : 'Build'} of {subject}, <Hash hex={recordId} />{' '}
          <span className="note whole">by {issuer}</span>
        </dd>
      ))}
    </div>
  )
