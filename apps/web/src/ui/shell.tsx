import { Link, Outlet } from '@tanstack/react-router'
import { Suspense } from 'react'
import { OutageNotice, useOutage } from '../failures/outage.tsx'
import { UnexpectedNotice } from '../failures/unexpected-notice.tsx'
import { useLive } from '../live/live.tsx'
import { useDeployment } from '../queries.ts'
import { Account } from '../session/account.tsx'
import { Loading } from './states.tsx'

/** What stands around every page: the way home, whether the figures are live, on which ledger they stand. */
export const Shell = () => (
  <>
    <a className="skip" href="#content">
      Skip to content
    </a>
    <header className="top">
      <Link to="/" className="brand">
        <img src="/icon.svg" alt="" width="26" height="26" />
        Liquefy
      </Link>
      <nav className="nav" aria-label="Pages">
        <Link to="/machines" activeOptions={{ exact: true, includeSearch: false }}>
          Machines
        </Link>
        <Link to="/agreements">Agreements</Link>
        <Link to="/market" activeOptions={{ includeSearch: false }}>
          Market
        </Link>
        <Link to="/vaults" activeOptions={{ exact: true }}>
          Ownership
        </Link>
        <Link to="/machines/new">Add a machine</Link>
        <Link to="/check">Check evidence</Link>
        <Link to="/operation">Operation</Link>
      </nav>
      <div className="top-end">
        <LiveState />
        <Account />
      </div>
    </header>
    <Content />
    <Footer />
  </>
)

/** The page, under what is to be said of all pages; while the node is away it looks as old as it is. */
const Content = () => {
  const isStill = useOutage() !== undefined
  return (
    <main id="content" className={isStill ? 'still' : undefined}>
      <OutageNotice />
      <UnexpectedNotice />
      <Suspense fallback={<Loading what="this page" />}>
        <Outlet />
      </Suspense>
    </main>
  )
}

const LiveState = () => {
  const { connected } = useLive()
  return (
    <p className={connected ? 'live live-on' : 'live live-off'} role="status">
      <span className="dot" aria-hidden="true" />
      {connected ? 'Live' : 'Not connected: figures stand still, trying again'}
    </p>
  )
}

const Footer = () => {
  const deployment = useDeployment().data
  return (
    <footer className="bottom">
      {deployment ? (
        <p>
          {deployment.embedded ? 'Embedded ledger' : 'Outside ledger'}, chain {deployment.chainId}.
          Nothing on this page has to be believed: open an agreement and check it yourself.
        </p>
      ) : null}
      <p>
        <a href="/docs/json">API</a> · <a href="/metrics">Metrics</a>
      </p>
    </footer>
  )
}
