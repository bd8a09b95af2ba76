import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from '@tanstack/react-router'
import { MachinePage } from './pages/connect/machine.tsx'
import { NotFound } from './pages/not-found.tsx'
import { Overview } from './pages/overview.tsx'
import { AgreementPage } from './pages/transact/agreement.tsx'
import { Crash, Shell } from './ui/shell.tsx'

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NotFound,
  errorComponent: Crash,
})
const overview = createRoute({ getParentRoute: () => root, path: '/', component: Overview })
const onboarding = createRoute({
  getParentRoute: () => root,
  path: '/machines/new',
  component: lazyRouteComponent(() => import('./pages/connect/onboarding.tsx'), 'OnboardingPage'),
})
export const machineRoute = createRoute({
  getParentRoute: () => root,
  path: '/machines/$machineId',
  component: MachinePage,
})
export const agreementRoute = createRoute({
  getParentRoute: () => root,
  path: '/agreements/$agreementId',
  component: AgreementPage,
})
const agreements = createRoute({
  getParentRoute: () => root,
  path: '/agreements',
  component: lazyRouteComponent(
    () => import('./pages/transact/agreements-page.tsx'),
    'AgreementsPage',
  ),
})
const textOr = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
export const offerRoute = createRoute({
  getParentRoute: () => root,
  path: '/agreements/new',
  /** `machine`: about which one. `answers`: the proposal that it counters. */
  validateSearch: (search: Record<string, unknown>): { machine?: string; answers?: string } => {
    const [machine, answers] = [textOr(search.machine), textOr(search.answers)]
    return { ...(machine ? { machine } : {}), ...(answers ? { answers } : {}) }
  },
  component: lazyRouteComponent(() => import('./pages/transact/offer-page.tsx'), 'OfferPage'),
})
export const proposalRoute = createRoute({
  getParentRoute: () => root,
  path: '/proposals/$proposalId',
  component: lazyRouteComponent(() => import('./pages/transact/proposal-page.tsx'), 'ProposalPage'),
})
export const evidenceRoute = createRoute({
  getParentRoute: () => root,
  path: '/evidence/$logIndex',
  component: lazyRouteComponent(() => import('./pages/trust/evidence.tsx'), 'EvidencePage'),
})
const check = createRoute({
  getParentRoute: () => root,
  path: '/check',
  component: lazyRouteComponent(() => import('./pages/trust/check-page.tsx'), 'CheckPage'),
})

export const router = createRouter({
  routeTree: root.addChildren([
    overview,
    onboarding,
    machineRoute,
    agreements,
    offerRoute,
    proposalRoute,
    agreementRoute,
    evidenceRoute,
    check,
  ]),
  defaultErrorComponent: Crash,
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
