import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from '@tanstack/react-router'
import { MachinePage } from './pages/connect/machine.tsx'
import { readFilter } from './pages/connect/machine-filter.ts'
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
export const machinesRoute = createRoute({
  getParentRoute: () => root,
  path: '/machines',
  validateSearch: readFilter,
  component: lazyRouteComponent(() => import('./pages/connect/machines.tsx'), 'MachinesPage'),
})
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
    machinesRoute,
    onboarding,
    machineRoute,
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
