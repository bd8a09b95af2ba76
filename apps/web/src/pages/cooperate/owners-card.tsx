import type { Vault, VaultOwner } from '@liquefy/client'
import { useState } from 'react'
import { useSession } from '../../session/use-session.ts'
import { formatCount } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Card, Party } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { OwnersRing } from './gauge.tsx'
import { ppmPercent } from './percent.ts'
import { useOwners } from './vault-queries.ts'
import { sameAccount } from './vault-words.ts'
import { WideTable } from './wide-table.tsx'

const colours = 6
const shownAtFirst = 8
const shownAtMost = 200

const colourOf = (index: number): string =>
  index < colours ? `var(--share-${index + 1})` : 'var(--share-rest)'

/** Who owns how much: drawn, and in a table. */
export const OwnersCard = ({ vault }: { vault: Vault }) => {
  const [all, setAll] = useState(false)
  const owners = useOwners(vault.vault, shownAtMost)
  return (
    <Card title="Who owns it">
      <Loaded query={owners} what="the owners">
        {({ owners: list }) =>
          list.length === 0 ? (
            <Empty title="Nobody owns a share">
              {vault.phase === 'selling'
                ? 'The first share that is sold makes the first owner.'
                : 'All shares were given back.'}
            </Empty>
          ) : (
            <div className="ownership">
              <OwnersRing
                supply={BigInt(vault.supply)}
                owners={ringOf(list, BigInt(vault.supply))}
              />
              <div>
                <OwnersTable list={all ? list : list.slice(0, shownAtFirst)} />
                {list.length > shownAtFirst && !all ? (
                  <button
                    type="button"
                    className="button button-plain"
                    onClick={() => setAll(true)}
                  >
                    Show {formatCount(list.length - shownAtFirst)} more
                  </button>
                ) : null}
                {all && vault.ownerCount > list.length ? (
                  <p className="note">
                    The {formatCount(list.length)} largest of {formatCount(vault.ownerCount)}.
                  </p>
                ) : null}
              </div>
            </div>
          )
        }
      </Loaded>
    </Card>
  )
}

/** The largest one by one, all others as one. */
const ringOf = (list: VaultOwner[], supply: bigint) => {
  const largest = list.slice(0, colours).map(({ account, shares }, index) => ({
    account: account as string,
    shares: BigInt(shares),
    colour: colourOf(index),
  }))
  const rest = supply - largest.reduce((sum, { shares }) => sum + shares, 0n)
  return rest > 0n
    ? [...largest, { account: 'all others', shares: rest, colour: colourOf(colours) }]
    : largest
}

const OwnersTable = ({ list }: { list: VaultOwner[] }) => {
  const me = useSession()?.address
  return (
    <WideTable label="Owners">
      <thead>
        <tr>
          <th scope="col">Owner</th>
          <th scope="col" className="number">
            Shares
          </th>
          <th scope="col" className="number">
            Claimed
          </th>
          <th scope="col" className="number">
            To claim
          </th>
        </tr>
      </thead>
      <tbody>
        {list.map((owner, index) => (
          <tr key={owner.account} className={sameAccount(me, owner.account) ? 'owner-me' : ''}>
            <td>
              <span
                className="owner-key"
                aria-hidden="true"
                style={{ background: colourOf(index) }}
              />
              <Party address={owner.account} />
              {sameAccount(me, owner.account) ? ' (you)' : ''}
            </td>
            <td className="number">
              {formatCount(owner.shares)}
              <span className="note">{ppmPercent(owner.sharePpm)}</span>
            </td>
            <td className="number">
              <Money minor={owner.claimedMinor} />
            </td>
            <td className="number">
              <Money minor={owner.claimableMinor} />
            </td>
          </tr>
        ))}
      </tbody>
    </WideTable>
  )
}
