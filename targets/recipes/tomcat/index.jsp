<%-- A login and a note, both in the servlet container's session: what a Spring application has without spring-session. --%>
<%@ page contentType="text/plain;charset=UTF-8" session="false" trimDirectiveWhitespaces="true" %>
<%
String path = request.getRequestURI().replaceAll("^.*/", "");
boolean post = request.getMethod().equals("POST");
HttpSession session = request.getSession(false);
Object user = session == null ? null : session.getAttribute("user");
if (path.equals("healthz")) {
    out.print("ok");
} else if (path.equals("login") && post) {
    if (!"pw".equals(request.getParameter("password"))) { response.setStatus(403); return; }
    if (session != null) session.invalidate();
    request.getSession(true).setAttribute("user", request.getParameter("user"));
    response.setStatus(303);
    response.setHeader("Location", "/me");
} else if (path.equals("login")) {
    out.print("log in first");
} else if (user == null) {
    response.setStatus(302);
    response.setHeader("Location", "/login");
} else if (path.equals("me")) {
    out.print("user: " + user);
} else if (path.equals("note") && post) {
    session.setAttribute("note", request.getParameter("text"));
    response.setStatus(204);
} else if (path.equals("note")) {
    out.print("note: " + session.getAttribute("note"));
} else {
    response.setStatus(404);
}
%>
