import { Link } from '@tanstack/react-router'
import { useDeployment } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { countOf } from '../../ui/format.ts'
import { Party } from '../../ui/parts.tsx'
import { useVaultOf } from './vault-queries.ts'

/** Who owns a machine: an account, or the vault of all who own it together. */
export const Owner = ({ machineId, owner }: { machineId: string; owner: string }) => {
  const vault = useVaultOf(machineId).data
  return vault ? (
    <>
      <Link to="/vaults/$vault" params={{ vault: vault.vault }}>
        {vault.name}
      </Link>
      <span className="note">{countOf(vault.ownerCount, 'owner')} together</span>
    </>
  ) : (
    <Party address={owner} />
  )
}

/** For its owner: a way to share it. */
export const ShareIt = ({ machineId, owner }: { machineId: string; owner: string }) => {
  const me = useSession()?.address
  const hasVaults = useDeployment().data?.cooperation != null
  if (!hasVaults || me !== owner.toLowerCase()) return null
  return (
    <dd className="note">
      <Link to="/vaults/new" search={{ machine: machineId }}>
        Share it with others
      </Link>
    </dd>
  )
}
