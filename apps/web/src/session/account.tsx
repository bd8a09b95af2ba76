import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { node } from '../api.ts'
import { outageWords, useOutage } from '../failures/outage.tsx'
import { useDeployment } from '../queries.ts'
import { Dialog } from '../ui/dialog.tsx'
import { nameOf } from '../ui/format.ts'
import { Loading } from '../ui/states.tsx'
import { useWallets } from '../wallet/use-wallets.ts'
import type { Choice } from '../wallet/wallets.ts'
import { dropIfEnded, keepSession, type SignedIn } from './kept-session.ts'
import { useErrorWords } from './use-error-words.ts'
import { useSession } from './use-session.ts'

/** Who looks at the page: a way in, or the name and a way out. */
export const Account = () => {
  const session = useSession()
  const deployment = useDeployment().data
  const [open, setOpen] = useState(false)
  useEndedSession(session)
  const close = () => setOpen(false)
  return (
    <>
      <button type="button" className="button button-quiet" onClick={() => setOpen(true)}>
        {session ? nameOf(deployment, session.address) : 'Sign in'}
      </button>
      {open && session ? <SignedInAs session={session} onDone={close} /> : null}
      {open && !session ? <SignIn onDone={close} /> : null}
    </>
  )
}

/** A session of an earlier visit may have ended meanwhile: the node is asked once. */
const useEndedSession = (session: SignedIn | undefined) => {
  const token = session?.token
  useEffect(() => {
    if (token !== undefined) node.session().catch(dropIfEnded)
  }, [token])
}

const SignedInAs = ({ session, onDone }: { session: SignedIn; onDone: () => void }) => {
  const deployment = useDeployment().data
  const queries = useQueryClient()
  const signOut = async () => {
    // Whether or not the node hears of it, this page forgets.
    await node.signOut().catch(() => undefined)
    keepSession(undefined)
    void queries.invalidateQueries()
    onDone()
  }
  return (
    <Dialog title={nameOf(deployment, session.address)} onClose={onDone}>
      <p className="note">
        Signed in as <code>{session.address}</code>, by{' '}
        {session.wallet.kind === 'person'
          ? 'a demo wallet that the node keeps'
          : 'the wallet in this browser'}
        .
      </p>
      <p>
        <Link to="/me" onClick={onDone}>
          My details
        </Link>
        : name, address and VAT, as they stand on invoices.
      </p>
      <button type="button" className="button" onClick={() => void signOut()}>
        Sign out
      </button>
    </Dialog>
  )
}

const SignIn = ({ onDone }: { onDone: () => void }) => {
  const deployment = useDeployment().data
  const wallets = useWallets()
  const queries = useQueryClient()
  const signIn = useMutation({
    mutationFn: async (choice: Choice) => wallets.data?.signIn(choice),
    onSuccess: () => {
      void queries.invalidateQueries()
      onDone()
    },
  })
  const words = useErrorWords(signIn.error ?? wallets.error)
  const isAway = useOutage() !== undefined
  const people = deployment?.actAsPeople ? deployment.people : []
  return (
    <Dialog title="Sign in" onClose={onDone}>
      <p className="note">
        By a signature of your account (Sign-In with Ethereum). It moves no money, and shows you
        your own machines and bills first.
      </p>
      {wallets.data ? (
        <>
          {people.length > 0 ? (
            <fieldset className="choices-list">
              <legend>Act as one of the people of this embedded ledger</legend>
              {people.map(({ name, address }) => (
                <button
                  key={address}
                  type="button"
                  className="button button-wide"
                  disabled={signIn.isPending || isAway}
                  onClick={() => signIn.mutate({ kind: 'person', address, name })}
                >
                  {name}
                </button>
              ))}
            </fieldset>
          ) : null}
          <fieldset className="choices-list">
            <legend>With a wallet of your own</legend>
            {wallets.data.inBrowser().map(({ id, name }) => (
              <button
                key={id}
                type="button"
                className="button button-wide button-quiet"
                disabled={signIn.isPending || isAway}
                onClick={() => signIn.mutate({ kind: 'browser', id })}
              >
                {name}
              </button>
            ))}
          </fieldset>
        </>
      ) : null}
      {wallets.isPending ? <Loading what="the wallets" /> : null}
      {signIn.isPending ? <p role="status">Waiting for the wallet…</p> : null}
      {isAway ? <p className="note">{outageWords}</p> : null}
      {words ? (
        <p className="problem-words" role="alert">
          {words}
        </p>
      ) : null}
    </Dialog>
  )
}
